BEGIN TRANSACTION;
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);
INSERT INTO "alembic_version" VALUES('e43177bfe90b');
CREATE TABLE assignment (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	duedate DATETIME, 
	course_id VARCHAR(128) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name), 
	FOREIGN KEY(course_id) REFERENCES course (id)
);
INSERT INTO "assignment" VALUES('2e5c16d9fc1d4992a0aaf87a306cd399','start',NULL,'interp');
INSERT INTO "assignment" VALUES('c4b76139f25e4be98460befcb28b593d','warmup','2026-11-30 10:46:02.000000','interp');
INSERT INTO "assignment" VALUES('70873e59a376421f9561fe6ff38d9785','kernel','2026-11-29 03:40:00.000000','interp');
INSERT INTO "assignment" VALUES('cc3c0f4dade54f34accb2596f3ca1ef8','week 1',NULL,'interp');
CREATE TABLE base_cell (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	notebook_id VARCHAR(32) NOT NULL, 
	type VARCHAR(50), 
	PRIMARY KEY (id), 
	UNIQUE (name, notebook_id, type), 
	FOREIGN KEY(notebook_id) REFERENCES notebook (id)
);
INSERT INTO "base_cell" VALUES('af9e67d961ac45e194759c1ba87eb7da','double_test','ac944a6203b640f3b8087c77e609f658','GradeCell');
INSERT INTO "base_cell" VALUES('243053c63e384f5182949663d98a53cd','double_hidden','ac944a6203b640f3b8087c77e609f658','GradeCell');
INSERT INTO "base_cell" VALUES('db49e21fbecf49a4af4b7a6c985d5c20','square_test','ac944a6203b640f3b8087c77e609f658','GradeCell');
INSERT INTO "base_cell" VALUES('a862efd3fcec4d29a3a01f66c38ca891','why','ac944a6203b640f3b8087c77e609f658','GradeCell');
INSERT INTO "base_cell" VALUES('c179711e4e254abcbbeab41bff013f7f','double','ac944a6203b640f3b8087c77e609f658','SolutionCell');
INSERT INTO "base_cell" VALUES('a02251eea7834622a27d0b75fd221e12','square','ac944a6203b640f3b8087c77e609f658','SolutionCell');
INSERT INTO "base_cell" VALUES('49da9c94645e46a0b03ad66ed44ef379','why','ac944a6203b640f3b8087c77e609f658','SolutionCell');
INSERT INTO "base_cell" VALUES('edbae78898724283a87369e1c7e5805d','double_test','920b2e3346c64c82b06c1a2e15308b58','GradeCell');
INSERT INTO "base_cell" VALUES('9269b79237854d3793fbadbddd81bc15','double_hidden','920b2e3346c64c82b06c1a2e15308b58','GradeCell');
INSERT INTO "base_cell" VALUES('3d9a6c1af0614785a46d0f0418510fa4','square_test','920b2e3346c64c82b06c1a2e15308b58','GradeCell');
INSERT INTO "base_cell" VALUES('a0124ebf8067454db84d20e81936b053','why','920b2e3346c64c82b06c1a2e15308b58','GradeCell');
INSERT INTO "base_cell" VALUES('a09db735ca9242b7837e5f884e846b1b','double','920b2e3346c64c82b06c1a2e15308b58','SolutionCell');
INSERT INTO "base_cell" VALUES('d06d885628af4f7392dfeae92cc5add4','square','920b2e3346c64c82b06c1a2e15308b58','SolutionCell');
INSERT INTO "base_cell" VALUES('b7e0c602f16340de9229b071efce60c1','why','920b2e3346c64c82b06c1a2e15308b58','SolutionCell');
INSERT INTO "base_cell" VALUES('c780063014ca4d06aeb9ac7dff3118bc','double_test','1671477262c2409fb62907fd9bf8bc03','GradeCell');
INSERT INTO "base_cell" VALUES('5caf4281127f4716bbd9610ec44851b8','double_hidden','1671477262c2409fb62907fd9bf8bc03','GradeCell');
INSERT INTO "base_cell" VALUES('d4da772148ee491ca431ac780d63677d','square_test','1671477262c2409fb62907fd9bf8bc03','GradeCell');
INSERT INTO "base_cell" VALUES('52fd40fc263f42679704e3c65c5f1a44','why','1671477262c2409fb62907fd9bf8bc03','GradeCell');
INSERT INTO "base_cell" VALUES('d1519559b677467a8caf218e73c477c3','double','1671477262c2409fb62907fd9bf8bc03','SolutionCell');
INSERT INTO "base_cell" VALUES('aab54605692e4522ba720b5e5a65c474','square','1671477262c2409fb62907fd9bf8bc03','SolutionCell');
INSERT INTO "base_cell" VALUES('1701d3d7f4564dbeb70ca7f87da12057','why','1671477262c2409fb62907fd9bf8bc03','SolutionCell');
INSERT INTO "base_cell" VALUES('f2f640f825504cea864fee95becf3e1d','likeliest_test','a0b013003f5c4666925afeadcb2b9b15','GradeCell');
INSERT INTO "base_cell" VALUES('aa1466bd4a904bcc94bd7d325f43938b','likeliest_test_2','a0b013003f5c4666925afeadcb2b9b15','GradeCell');
INSERT INTO "base_cell" VALUES('5afd9f9ef5c74feeb32522ee277f8ba2','likeliest','a0b013003f5c4666925afeadcb2b9b15','SolutionCell');
CREATE TABLE comment (
	id VARCHAR(32) NOT NULL, 
	notebook_id VARCHAR(32), 
	cell_id VARCHAR(32), 
	auto_comment TEXT, 
	manual_comment TEXT, 
	PRIMARY KEY (id), 
	UNIQUE (cell_id, notebook_id), 
	FOREIGN KEY(notebook_id) REFERENCES submitted_notebook (id), 
	FOREIGN KEY(cell_id) REFERENCES base_cell (id)
);
INSERT INTO "comment" VALUES('c998629a71a543a1a2d94c286c45a1a6','37a036774db24cc8b993dc2b158d56a9','c179711e4e254abcbbeab41bff013f7f',NULL,NULL);
INSERT INTO "comment" VALUES('dab33da3280b4b088311756525bfde42','37a036774db24cc8b993dc2b158d56a9','a02251eea7834622a27d0b75fd221e12',NULL,NULL);
INSERT INTO "comment" VALUES('66f231c0cb444073b2e9ee5a2e1d4a3e','37a036774db24cc8b993dc2b158d56a9','49da9c94645e46a0b03ad66ed44ef379',NULL,'Fast — ß 💡');
INSERT INTO "comment" VALUES('60124d2f944e47a2a8f9b9f3b8b57b56','991cbe3541984b65b74508e380b37fe1','c179711e4e254abcbbeab41bff013f7f',NULL,NULL);
INSERT INTO "comment" VALUES('27266679835f4af0932f4aa546605981','991cbe3541984b65b74508e380b37fe1','a02251eea7834622a27d0b75fd221e12',NULL,NULL);
INSERT INTO "comment" VALUES('858e843b5414425d99da194da4980db1','991cbe3541984b65b74508e380b37fe1','49da9c94645e46a0b03ad66ed44ef379',NULL,NULL);
INSERT INTO "comment" VALUES('8848e37721a54a859958d06b9b4e4211','93bf9b15efd248778a686b5afd2f9814','a09db735ca9242b7837e5f884e846b1b',NULL,NULL);
INSERT INTO "comment" VALUES('0f34362a1181412aae946a68207d781f','93bf9b15efd248778a686b5afd2f9814','d06d885628af4f7392dfeae92cc5add4',NULL,NULL);
INSERT INTO "comment" VALUES('ccc93229d2b84490ad0ef6f5c63e3ed1','93bf9b15efd248778a686b5afd2f9814','b7e0c602f16340de9229b071efce60c1',NULL,NULL);
CREATE TABLE course (
	id VARCHAR(128) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (id)
);
INSERT INTO "course" VALUES('interp');
INSERT INTO "course" VALUES('default_course');
CREATE TABLE grade (
	id VARCHAR(32) NOT NULL, 
	notebook_id VARCHAR(32), 
	cell_id VARCHAR(32), 
	auto_score FLOAT, 
	manual_score FLOAT, 
	extra_credit FLOAT, 
	needs_manual_grade BOOLEAN NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (cell_id, notebook_id), 
	FOREIGN KEY(notebook_id) REFERENCES submitted_notebook (id), 
	FOREIGN KEY(cell_id) REFERENCES base_cell (id)
);
INSERT INTO "grade" VALUES('feef2dd2db7f403fae5618b3025553dc','37a036774db24cc8b993dc2b158d56a9','af9e67d961ac45e194759c1ba87eb7da',1.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('aff07e40b9e14b078c65e11dcb359c95','37a036774db24cc8b993dc2b158d56a9','243053c63e384f5182949663d98a53cd',2.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('340362d9993346569963dc4d67c90449','37a036774db24cc8b993dc2b158d56a9','db49e21fbecf49a4af4b7a6c985d5c20',2.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('37c49f6118d946619d833529c3290790','37a036774db24cc8b993dc2b158d56a9','a862efd3fcec4d29a3a01f66c38ca891',NULL,3.5,0.5,0);
INSERT INTO "grade" VALUES('706fc98db9104db78053f4409bac9d66','991cbe3541984b65b74508e380b37fe1','af9e67d961ac45e194759c1ba87eb7da',1.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('173374acd27448aba23dc2ec82022029','991cbe3541984b65b74508e380b37fe1','243053c63e384f5182949663d98a53cd',0.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('ea91b78744c84ba9a13d9c8a12aa357e','991cbe3541984b65b74508e380b37fe1','db49e21fbecf49a4af4b7a6c985d5c20',2.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('df9f14a08ec746c38d8b5a1cef100bfc','991cbe3541984b65b74508e380b37fe1','a862efd3fcec4d29a3a01f66c38ca891',NULL,NULL,NULL,1);
INSERT INTO "grade" VALUES('236740cce74c457fb03fc9e3c56afa31','93bf9b15efd248778a686b5afd2f9814','edbae78898724283a87369e1c7e5805d',1.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('5c5a3d22ab0b4e24b5cc48f8f143fc32','93bf9b15efd248778a686b5afd2f9814','9269b79237854d3793fbadbddd81bc15',0.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('14e211d27b3e42b99ec0672511fb3aa3','93bf9b15efd248778a686b5afd2f9814','3d9a6c1af0614785a46d0f0418510fa4',2.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('9df8d468a9f54c1aa57ebb5f2acebc71','93bf9b15efd248778a686b5afd2f9814','a0124ebf8067454db84d20e81936b053',NULL,NULL,NULL,1);
CREATE TABLE grade_cells (
	id VARCHAR(32) NOT NULL, 
	max_score FLOAT NOT NULL, 
	cell_type VARCHAR(8) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(id) REFERENCES base_cell (id)
);
INSERT INTO "grade_cells" VALUES('af9e67d961ac45e194759c1ba87eb7da',1.0,'code');
INSERT INTO "grade_cells" VALUES('243053c63e384f5182949663d98a53cd',2.0,'code');
INSERT INTO "grade_cells" VALUES('db49e21fbecf49a4af4b7a6c985d5c20',2.0,'code');
INSERT INTO "grade_cells" VALUES('a862efd3fcec4d29a3a01f66c38ca891',4.0,'markdown');
INSERT INTO "grade_cells" VALUES('edbae78898724283a87369e1c7e5805d',1.0,'code');
INSERT INTO "grade_cells" VALUES('9269b79237854d3793fbadbddd81bc15',2.0,'code');
INSERT INTO "grade_cells" VALUES('3d9a6c1af0614785a46d0f0418510fa4',2.0,'code');
INSERT INTO "grade_cells" VALUES('a0124ebf8067454db84d20e81936b053',4.0,'markdown');
INSERT INTO "grade_cells" VALUES('c780063014ca4d06aeb9ac7dff3118bc',1.0,'code');
INSERT INTO "grade_cells" VALUES('5caf4281127f4716bbd9610ec44851b8',2.0,'code');
INSERT INTO "grade_cells" VALUES('d4da772148ee491ca431ac780d63677d',2.0,'code');
INSERT INTO "grade_cells" VALUES('52fd40fc263f42679704e3c65c5f1a44',4.0,'markdown');
INSERT INTO "grade_cells" VALUES('f2f640f825504cea864fee95becf3e1d',1.0,'code');
INSERT INTO "grade_cells" VALUES('aa1466bd4a904bcc94bd7d325f43938b',1.0,'code');
CREATE TABLE notebook (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	assignment_id VARCHAR(32), 
	kernelspec VARCHAR(1024), 
	PRIMARY KEY (id), 
	UNIQUE (name, assignment_id), 
	FOREIGN KEY(assignment_id) REFERENCES assignment (id)
);
INSERT INTO "notebook" VALUES('ac944a6203b640f3b8087c77e609f658','doubling','c4b76139f25e4be98460befcb28b593d','{"display_name": "Python 3", "language": "python", "name": "python3"}');
INSERT INTO "notebook" VALUES('920b2e3346c64c82b06c1a2e15308b58','doubling','70873e59a376421f9561fe6ff38d9785','{"display_name": "Python 3", "language": "python", "name": "python3"}');
INSERT INTO "notebook" VALUES('1671477262c2409fb62907fd9bf8bc03','doubling','cc3c0f4dade54f34accb2596f3ca1ef8','{"display_name": "Python 3", "language": "python", "name": "python3"}');
INSERT INTO "notebook" VALUES('a0b013003f5c4666925afeadcb2b9b15','start','2e5c16d9fc1d4992a0aaf87a306cd399','{"display_name": "Python 3", "language": "python", "name": "python3"}');
CREATE TABLE solution_cells (
	id VARCHAR(32) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(id) REFERENCES base_cell (id)
);
INSERT INTO "solution_cells" VALUES('c179711e4e254abcbbeab41bff013f7f');
INSERT INTO "solution_cells" VALUES('a02251eea7834622a27d0b75fd221e12');
INSERT INTO "solution_cells" VALUES('49da9c94645e46a0b03ad66ed44ef379');
INSERT INTO "solution_cells" VALUES('a09db735ca9242b7837e5f884e846b1b');
INSERT INTO "solution_cells" VALUES('d06d885628af4f7392dfeae92cc5add4');
INSERT INTO "solution_cells" VALUES('b7e0c602f16340de9229b071efce60c1');
INSERT INTO "solution_cells" VALUES('d1519559b677467a8caf218e73c477c3');
INSERT INTO "solution_cells" VALUES('aab54605692e4522ba720b5e5a65c474');
INSERT INTO "solution_cells" VALUES('1701d3d7f4564dbeb70ca7f87da12057');
INSERT INTO "solution_cells" VALUES('5afd9f9ef5c74feeb32522ee277f8ba2');
CREATE TABLE source_cell (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	cell_type VARCHAR(8) NOT NULL, 
	locked BOOLEAN NOT NULL, 
	source TEXT, 
	checksum VARCHAR(128), 
	notebook_id VARCHAR(32), 
	PRIMARY KEY (id), 
	UNIQUE (name, notebook_id), 
	FOREIGN KEY(notebook_id) REFERENCES notebook (id)
);
INSERT INTO "source_cell" VALUES('ea15a3e056e1451192958ef7940715c8','given','code',1,'SIZE = 3','8876930e2e0d41e0dd6e517e4dccaa6b','ac944a6203b640f3b8087c77e609f658');
INSERT INTO "source_cell" VALUES('71343d280ac14fcda78211c56e2dc8eb','double','code',0,'def double(x):
    # YOUR CODE HERE
    raise NotImplementedError()','c057dcaa0110547c0d8860f1f6bbe486','ac944a6203b640f3b8087c77e609f658');
INSERT INTO "source_cell" VALUES('a296d123739e4cc0b94edcae77a08207','double_test','code',1,'assert double(SIZE) == 6','2a80358e3710a4d10e01004874cb4639','ac944a6203b640f3b8087c77e609f658');
INSERT INTO "source_cell" VALUES('a0e22f38f61b455c91233d7d180470fa','double_hidden','code',1,'### BEGIN HIDDEN TESTS
assert double(4711) == 9422
### END HIDDEN TESTS','3d4025971865f32b11e49f32164d3cc8','ac944a6203b640f3b8087c77e609f658');
INSERT INTO "source_cell" VALUES('eaaffdc245ae4174900d61cdaa4a298f','square','code',0,'def square(x):
    # YOUR CODE HERE
    raise NotImplementedError()','70386027f04d045b2d7be9751bcbb8e1','ac944a6203b640f3b8087c77e609f658');
INSERT INTO "source_cell" VALUES('5045652af5d540c986cb535ec48e2856','square_test','code',1,'assert square(3) == 9','2f37bae1c848b9ef52df856e6b8fa985','ac944a6203b640f3b8087c77e609f658');
INSERT INTO "source_cell" VALUES('dbd509c2a09d45a28b107709d90c7b77','why','markdown',0,'YOUR ANSWER HERE','7f4194da1ea26f26506647339121f078','ac944a6203b640f3b8087c77e609f658');
INSERT INTO "source_cell" VALUES('1fff36f61c4749f890c158d456604c56','given','code',1,'SIZE = 3','8876930e2e0d41e0dd6e517e4dccaa6b','920b2e3346c64c82b06c1a2e15308b58');
INSERT INTO "source_cell" VALUES('e6c14309746e4593b2114c30547968e5','double','code',0,'def double(x):
    # YOUR CODE HERE
    raise NotImplementedError()','c057dcaa0110547c0d8860f1f6bbe486','920b2e3346c64c82b06c1a2e15308b58');
INSERT INTO "source_cell" VALUES('83023163af424a179ad873343c2f8e4f','double_test','code',1,'assert double(SIZE) == 6','2a80358e3710a4d10e01004874cb4639','920b2e3346c64c82b06c1a2e15308b58');
INSERT INTO "source_cell" VALUES('7d13fbaa3ffa40b39947d405141dedd0','double_hidden','code',1,'### BEGIN HIDDEN TESTS
assert double(4711) == 9422
### END HIDDEN TESTS','3d4025971865f32b11e49f32164d3cc8','920b2e3346c64c82b06c1a2e15308b58');
INSERT INTO "source_cell" VALUES('4656206bc88049fcad84f7216af24e92','square','code',0,'def square(x):
    # YOUR CODE HERE
    raise NotImplementedError()','70386027f04d045b2d7be9751bcbb8e1','920b2e3346c64c82b06c1a2e15308b58');
INSERT INTO "source_cell" VALUES('d32c1426b18e40819e5815043582a41f','square_test','code',1,'assert square(3) == 9','2f37bae1c848b9ef52df856e6b8fa985','920b2e3346c64c82b06c1a2e15308b58');
INSERT INTO "source_cell" VALUES('e26a1a39ac59442794de229f7e812ba6','why','markdown',0,'YOUR ANSWER HERE','7f4194da1ea26f26506647339121f078','920b2e3346c64c82b06c1a2e15308b58');
INSERT INTO "source_cell" VALUES('4ec10e2c9216431e836e75f8271f243d','given','code',1,'SIZE = 3','8876930e2e0d41e0dd6e517e4dccaa6b','1671477262c2409fb62907fd9bf8bc03');
INSERT INTO "source_cell" VALUES('7a1569c51d6d41028dded5a2ff386fb0','double','code',0,'def double(x):
    # YOUR CODE HERE
    raise NotImplementedError()','c057dcaa0110547c0d8860f1f6bbe486','1671477262c2409fb62907fd9bf8bc03');
INSERT INTO "source_cell" VALUES('3c485115b61a4f3b869b04886d68fc0d','double_test','code',1,'assert double(SIZE) == 6','2a80358e3710a4d10e01004874cb4639','1671477262c2409fb62907fd9bf8bc03');
INSERT INTO "source_cell" VALUES('446761fc0d044851954a43a3fd2ebc3e','double_hidden','code',1,'### BEGIN HIDDEN TESTS
assert double(4711) == 9422
### END HIDDEN TESTS','3d4025971865f32b11e49f32164d3cc8','1671477262c2409fb62907fd9bf8bc03');
INSERT INTO "source_cell" VALUES('0ca858c955624e96a6c87798ee53b5f8','square','code',0,'def square(x):
    # YOUR CODE HERE
    raise NotImplementedError()','70386027f04d045b2d7be9751bcbb8e1','1671477262c2409fb62907fd9bf8bc03');
INSERT INTO "source_cell" VALUES('7c0a9420ad934722a1a4013f74d1490b','square_test','code',1,'assert square(3) == 9','2f37bae1c848b9ef52df856e6b8fa985','1671477262c2409fb62907fd9bf8bc03');
INSERT INTO "source_cell" VALUES('80aecfa09568432a886e5e123d46ed7e','why','markdown',0,'YOUR ANSWER HERE','7f4194da1ea26f26506647339121f078','1671477262c2409fb62907fd9bf8bc03');
INSERT INTO "source_cell" VALUES('ef1b03a2832a4cdcabb8b78016bfbf52','released-1','code',1,'import plotly.graph_objects as go
import torch

from course import checks, plots
from course.models import model

torch.set_grad_enabled(False)  # we look at a trained model; nothing is trained here

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"  # ids 0..63
BOS = 64  # every text begins with this id; it is drawn as ⊢

net = model("induction-2l2h")  # a transformer with two layers of two attention heads
text = "QuickWaltzNymphs" + "QuickWalt"  # a phrase, and then the same phrase, cut off
ids = torch.tensor([[BOS] + [ALPHABET.index(s) for s in text]])  # [1 26]
letters = ["⊢", *text]

logits, cache = net.run_with_cache(ids)  # run it once and keep everything that was computed
pattern = cache["pattern", 1][0, 0]  # where head 0 of layer 1 looks: [query key]
plots.attention_heatmap(pattern, letters, title="Layer 1, head 0: which letter looks at which?")','c86b402e255f848f4043acb5ab93a32a','a0b013003f5c4666925afeadcb2b9b15');
INSERT INTO "source_cell" VALUES('185d6195816546eb92a8d1b8e96919dd','released-2','code',1,'def guesses(logits):
    """Probability of each symbol to come next, after the last position: [64]."""
    return logits[0, -1].softmax(dim=-1)[:64]


def bars(**probabilities):
    """The likeliest symbols of each of some distributions [64], side by side."""
    shown = sorted({int(i) for p in probabilities.values() for i in p.topk(3).indices})
    figure = go.Figure()
    for label, p in probabilities.items():
        heights = [float(p[i]) for i in shown]
        figure.add_bar(x=[ALPHABET[i] for i in shown], y=heights, name=label)
    figure.update_layout(
        title=f"What comes after “{text[-9:]}”?",
        template="simple_white",
        height=350,
        width=700,
        colorway=["#0072B2", "#D55E00"],
        xaxis={"title": "next symbol", "type": "category"},
        yaxis={"title": "probability", "range": [0, 1]},
        showlegend=True,
    )
    return figure


bars(before=guesses(logits))','38be79da54ddffa6d81960d747e42581','a0b013003f5c4666925afeadcb2b9b15');
INSERT INTO "source_cell" VALUES('4c9cdf332cfe4f3f8c595f4b1243ffcd','released-3','code',1,'TARGET = text.index("N") + 1  # where the letter N stands in the text, counting ⊢ as position 0


def look_at_target(pattern, hook):
    """Attention [batch head query key]: the last query looks at TARGET and nowhere else."""
    pattern[:, :, -1, :] = 0
    pattern[:, :, -1, TARGET] = 1
    return pattern


edited = net.run_with_hooks(ids, fwd_hooks=[("blocks.1.attn.hook_pattern", look_at_target)])
bars(before=guesses(logits), after=guesses(edited))','69b608d061984f2438027478300ead59','a0b013003f5c4666925afeadcb2b9b15');
INSERT INTO "source_cell" VALUES('77c915fbd88b402f9bc491a34f334e61','likeliest','code',0,'def likeliest(logits: torch.Tensor) -> int:
    """The id of the largest of `logits` [vocab]."""
    # YOUR CODE HERE
    raise NotImplementedError()','e193f742df6a68a6e28c1c9bb8d06338','a0b013003f5c4666925afeadcb2b9b15');
INSERT INTO "source_cell" VALUES('892e0192e8db48aeb7623f258d7c36c5','likeliest_test','code',1,'got = likeliest(torch.tensor([0.5, -1.0, 3.5, 3.0]))
checks.check_equal(
    got, 2, "likeliest([0.5, -1.0, 3.5, 3.0])", hint="Is it the place, or the number?"
)
assert type(got) is int, "an int is asked for"','a8fbd26b4615627aaaf380ef105db831','a0b013003f5c4666925afeadcb2b9b15');
INSERT INTO "source_cell" VALUES('9720c3929f854a8eb0c950645a8bf944','likeliest_test_2','code',1,'# Hidden: other logits, of other lengths. This runs when you have submitted.
### BEGIN HIDDEN TESTS
import secrets

for size in (7, 64):
    seed = secrets.randbelow(1_000_000)
    raw = torch.randn(size, generator=torch.Generator().manual_seed(seed)) - 10  # all are negative
    values = raw.tolist()
    want = values.index(max(values))
    got = likeliest(raw)
    assert type(got) is int, f"got {type(got).__name__}, not an int"
    assert got == want, f"got the id {got} for {size} logits, all negative [seed {seed}]"
### END HIDDEN TESTS','17f197c149a4b8be2725fe82f5266874','a0b013003f5c4666925afeadcb2b9b15');
CREATE TABLE student (
	id VARCHAR(128) NOT NULL, 
	first_name VARCHAR(128), 
	last_name VARCHAR(128), 
	email VARCHAR(128), 
	lms_user_id VARCHAR(128), 
	PRIMARY KEY (id)
);
INSERT INTO "student" VALUES('alice',NULL,NULL,NULL,NULL);
INSERT INTO "student" VALUES('bob','Bob','Öztürk','bob@example.org','4711');
INSERT INTO "student" VALUES('carol','Carol','de la Cruz',NULL,NULL);
INSERT INTO "student" VALUES('dana@example.org','Dana','Doe','dana@example.org',NULL);
INSERT INTO "student" VALUES('erik',NULL,NULL,NULL,NULL);
CREATE TABLE submitted_assignment (
	id VARCHAR(32) NOT NULL, 
	assignment_id VARCHAR(32), 
	student_id VARCHAR(128), 
	timestamp DATETIME, 
	extension DATETIME, 
	PRIMARY KEY (id), 
	UNIQUE (assignment_id, student_id), 
	FOREIGN KEY(assignment_id) REFERENCES assignment (id), 
	FOREIGN KEY(student_id) REFERENCES student (id)
);
INSERT INTO "submitted_assignment" VALUES('5508a53c2aee49f680b0db012a2d7bc6','c4b76139f25e4be98460befcb28b593d','alice','2026-11-30 10:46:02.066806',NULL);
INSERT INTO "submitted_assignment" VALUES('8d3a836c2c4541e084c5facbaf747376','c4b76139f25e4be98460befcb28b593d','bob','2026-11-30 10:46:05.574708',NULL);
INSERT INTO "submitted_assignment" VALUES('57e3329c710243eb9fd4130bb179017e','70873e59a376421f9561fe6ff38d9785','alice','2026-11-30 10:46:02.522346',NULL);
CREATE TABLE submitted_notebook (
	id VARCHAR(32) NOT NULL, 
	assignment_id VARCHAR(32), 
	notebook_id VARCHAR(32), 
	flagged BOOLEAN, 
	late_submission_penalty FLOAT, 
	PRIMARY KEY (id), 
	UNIQUE (notebook_id, assignment_id), 
	FOREIGN KEY(assignment_id) REFERENCES submitted_assignment (id), 
	FOREIGN KEY(notebook_id) REFERENCES notebook (id)
);
INSERT INTO "submitted_notebook" VALUES('37a036774db24cc8b993dc2b158d56a9','5508a53c2aee49f680b0db012a2d7bc6','ac944a6203b640f3b8087c77e609f658',0,0.9);
INSERT INTO "submitted_notebook" VALUES('991cbe3541984b65b74508e380b37fe1','8d3a836c2c4541e084c5facbaf747376','ac944a6203b640f3b8087c77e609f658',0,3.00000000000000044408e-01);
INSERT INTO "submitted_notebook" VALUES('93bf9b15efd248778a686b5afd2f9814','57e3329c710243eb9fd4130bb179017e','920b2e3346c64c82b06c1a2e15308b58',0,6.00000000000000088817e-01);
CREATE TABLE task_cells (
	id VARCHAR(32) NOT NULL, 
	max_score FLOAT NOT NULL, 
	cell_type VARCHAR(8) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(id) REFERENCES base_cell (id)
);
COMMIT;
