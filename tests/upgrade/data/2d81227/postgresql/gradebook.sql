SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE TYPE public.grade_cell_type AS ENUM (
    'code',
    'markdown'
);
CREATE TYPE public.source_cell_type AS ENUM (
    'code',
    'markdown'
);
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.assignment (
    id character varying(32) NOT NULL,
    name character varying(128) NOT NULL,
    duedate timestamp without time zone,
    course_id character varying(128) NOT NULL
);
CREATE TABLE public.base_cell (
    id character varying(32) NOT NULL,
    name character varying(128) NOT NULL,
    notebook_id character varying(32) NOT NULL,
    type character varying(50)
);
CREATE TABLE public.comment (
    id character varying(32) NOT NULL,
    notebook_id character varying(32),
    cell_id character varying(32),
    auto_comment text,
    manual_comment text
);
CREATE TABLE public.course (
    id character varying(128) NOT NULL
);
CREATE TABLE public.grade (
    id character varying(32) NOT NULL,
    notebook_id character varying(32),
    cell_id character varying(32),
    auto_score double precision,
    manual_score double precision,
    extra_credit double precision,
    needs_manual_grade boolean NOT NULL
);
CREATE TABLE public.grade_cells (
    id character varying(32) NOT NULL,
    max_score double precision NOT NULL,
    cell_type public.grade_cell_type NOT NULL
);
CREATE TABLE public.notebook (
    id character varying(32) NOT NULL,
    name character varying(128) NOT NULL,
    assignment_id character varying(32),
    kernelspec character varying(1024)
);
CREATE TABLE public.solution_cells (
    id character varying(32) NOT NULL
);
CREATE TABLE public.source_cell (
    id character varying(32) NOT NULL,
    name character varying(128) NOT NULL,
    cell_type public.source_cell_type NOT NULL,
    locked boolean NOT NULL,
    source text,
    checksum character varying(128),
    notebook_id character varying(32)
);
CREATE TABLE public.student (
    id character varying(128) NOT NULL,
    first_name character varying(128),
    last_name character varying(128),
    email character varying(128),
    lms_user_id character varying(128)
);
CREATE TABLE public.submitted_assignment (
    id character varying(32) NOT NULL,
    assignment_id character varying(32),
    student_id character varying(128),
    "timestamp" timestamp without time zone,
    extension interval
);
CREATE TABLE public.submitted_notebook (
    id character varying(32) NOT NULL,
    assignment_id character varying(32),
    notebook_id character varying(32),
    flagged boolean,
    late_submission_penalty double precision
);
CREATE TABLE public.task_cells (
    id character varying(32) NOT NULL,
    max_score double precision NOT NULL,
    cell_type public.grade_cell_type NOT NULL
);
INSERT INTO public.alembic_version VALUES ('e43177bfe90b');
INSERT INTO public.assignment VALUES ('54e728b5cbb34d1f9fb2373409052f92', 'start', NULL, 'interp');
INSERT INTO public.assignment VALUES ('e8a965f725414c5abd59c025296d35a8', 'kernel', '2026-11-29 03:47:00', 'interp');
INSERT INTO public.assignment VALUES ('5f63c515d8d94fa5ad3245fb2706712d', 'week 1', NULL, 'interp');
INSERT INTO public.assignment VALUES ('9d41f2c10bcd4f5198b865ed8d8c14ca', 'warmup', '2026-11-30 10:52:39', 'interp');
INSERT INTO public.base_cell VALUES ('e28158b694f848a3a8f7862626e0bd97', 'double_test', '0123651ccc454ae2b57f8d058eb7f2b3', 'GradeCell');
INSERT INTO public.base_cell VALUES ('314aad56d6c748b89837d92becf3a6c9', 'double_hidden', '0123651ccc454ae2b57f8d058eb7f2b3', 'GradeCell');
INSERT INTO public.base_cell VALUES ('69a3424a95fe4067a51f6bf4d9ba2550', 'square_test', '0123651ccc454ae2b57f8d058eb7f2b3', 'GradeCell');
INSERT INTO public.base_cell VALUES ('ed32c589cee4494eb71bd63f8c60bcb2', 'why', '0123651ccc454ae2b57f8d058eb7f2b3', 'GradeCell');
INSERT INTO public.base_cell VALUES ('23cdc2e3c4234294a3e1d59175c2c85f', 'double', '0123651ccc454ae2b57f8d058eb7f2b3', 'SolutionCell');
INSERT INTO public.base_cell VALUES ('05859a76ffbc42d5953386f1f51abcc7', 'square', '0123651ccc454ae2b57f8d058eb7f2b3', 'SolutionCell');
INSERT INTO public.base_cell VALUES ('19e6b5c707424cb4828ce582f297d580', 'why', '0123651ccc454ae2b57f8d058eb7f2b3', 'SolutionCell');
INSERT INTO public.base_cell VALUES ('507f96cc68e545bb9dbd43ae70be56c2', 'double_test', '6c4acc4787784389b30d9d09bbed97e6', 'GradeCell');
INSERT INTO public.base_cell VALUES ('5bed64d2586745b8a893572b7183945a', 'double_hidden', '6c4acc4787784389b30d9d09bbed97e6', 'GradeCell');
INSERT INTO public.base_cell VALUES ('43e0e53f5a50481f9515cfa3e0461163', 'square_test', '6c4acc4787784389b30d9d09bbed97e6', 'GradeCell');
INSERT INTO public.base_cell VALUES ('2370811640c34f2ea9a3f18f45e7680a', 'why', '6c4acc4787784389b30d9d09bbed97e6', 'GradeCell');
INSERT INTO public.base_cell VALUES ('95bb2a42ab99489da0247717da0185b9', 'double', '6c4acc4787784389b30d9d09bbed97e6', 'SolutionCell');
INSERT INTO public.base_cell VALUES ('e957453d384442a2a6ee89335fd3bcb1', 'square', '6c4acc4787784389b30d9d09bbed97e6', 'SolutionCell');
INSERT INTO public.base_cell VALUES ('1832207491664cdebc19ff7df5648ec9', 'why', '6c4acc4787784389b30d9d09bbed97e6', 'SolutionCell');
INSERT INTO public.base_cell VALUES ('d67c59c8cfe34b328a48b7ca4698b20f', 'double_test', '0ab1f43bec984236ad2f94fb7c7b3aa1', 'GradeCell');
INSERT INTO public.base_cell VALUES ('c541c07ab4fd4aa78c509ee3ef1bbf44', 'double_hidden', '0ab1f43bec984236ad2f94fb7c7b3aa1', 'GradeCell');
INSERT INTO public.base_cell VALUES ('5653885e7a9a450492686b65814624d4', 'square_test', '0ab1f43bec984236ad2f94fb7c7b3aa1', 'GradeCell');
INSERT INTO public.base_cell VALUES ('2b649e8a394e46af87ee8bcc044303dd', 'why', '0ab1f43bec984236ad2f94fb7c7b3aa1', 'GradeCell');
INSERT INTO public.base_cell VALUES ('114adc8098784751bcf49e82b6176079', 'double', '0ab1f43bec984236ad2f94fb7c7b3aa1', 'SolutionCell');
INSERT INTO public.base_cell VALUES ('cd940a050c2d45cbbf77236cc342ee02', 'square', '0ab1f43bec984236ad2f94fb7c7b3aa1', 'SolutionCell');
INSERT INTO public.base_cell VALUES ('c3c770fcb6cd480790abbfdfc8445987', 'why', '0ab1f43bec984236ad2f94fb7c7b3aa1', 'SolutionCell');
INSERT INTO public.base_cell VALUES ('3d756aa586ea43628208a6547a6ddb76', 'likeliest_test', 'a8c6bff024234d928e411530b8badf4f', 'GradeCell');
INSERT INTO public.base_cell VALUES ('84965d2ae57a4ca8b261cf63f449e787', 'likeliest_test_2', 'a8c6bff024234d928e411530b8badf4f', 'GradeCell');
INSERT INTO public.base_cell VALUES ('647bbc25a171426bb8b6d0dcef6f5287', 'likeliest', 'a8c6bff024234d928e411530b8badf4f', 'SolutionCell');
INSERT INTO public.comment VALUES ('bfa964101e5f48a284a842e69aba0aa5', '7a6736902df34cf983a6897c8f920700', '23cdc2e3c4234294a3e1d59175c2c85f', NULL, NULL);
INSERT INTO public.comment VALUES ('ca6f639d026c44c0911c7230472ecaa1', '7a6736902df34cf983a6897c8f920700', '05859a76ffbc42d5953386f1f51abcc7', NULL, NULL);
INSERT INTO public.comment VALUES ('d5482f224d7b439f98be21374093347f', 'af6e1e01f0d7493e8509691d571e71b0', '23cdc2e3c4234294a3e1d59175c2c85f', NULL, NULL);
INSERT INTO public.comment VALUES ('880fae1d47a044beaac5f109a5cd8f44', 'af6e1e01f0d7493e8509691d571e71b0', '05859a76ffbc42d5953386f1f51abcc7', NULL, NULL);
INSERT INTO public.comment VALUES ('f1dccb758b854c05b366b8de63f656b9', 'af6e1e01f0d7493e8509691d571e71b0', '19e6b5c707424cb4828ce582f297d580', NULL, NULL);
INSERT INTO public.comment VALUES ('651d3a2e4d7d4fae96a13a0050ef0752', '094a1c429be44336b8940d3ea141d7da', '95bb2a42ab99489da0247717da0185b9', NULL, NULL);
INSERT INTO public.comment VALUES ('7294e727b3d54995a8201249c101272a', '094a1c429be44336b8940d3ea141d7da', 'e957453d384442a2a6ee89335fd3bcb1', NULL, NULL);
INSERT INTO public.comment VALUES ('0567fc91bbae40a98618d92475adced9', '094a1c429be44336b8940d3ea141d7da', '1832207491664cdebc19ff7df5648ec9', NULL, NULL);
INSERT INTO public.comment VALUES ('0bbfca4ee4cf42c4ae165fcdeb7d4000', '7a6736902df34cf983a6897c8f920700', '19e6b5c707424cb4828ce582f297d580', NULL, 'Fast — ß 💡');
INSERT INTO public.course VALUES ('interp');
INSERT INTO public.course VALUES ('default_course');
INSERT INTO public.grade VALUES ('1aada94440a94bfda792e47e78409428', '7a6736902df34cf983a6897c8f920700', 'e28158b694f848a3a8f7862626e0bd97', 1, NULL, NULL, false);
INSERT INTO public.grade VALUES ('1d4f2d2b96894a0da32e42701cee82d7', '7a6736902df34cf983a6897c8f920700', '314aad56d6c748b89837d92becf3a6c9', 2, NULL, NULL, false);
INSERT INTO public.grade VALUES ('41b4b25518f24ce7b4c8478c1693c309', '7a6736902df34cf983a6897c8f920700', '69a3424a95fe4067a51f6bf4d9ba2550', 2, NULL, NULL, false);
INSERT INTO public.grade VALUES ('8b4ef5c8e6464a7aa53ac34129dbc1d3', 'af6e1e01f0d7493e8509691d571e71b0', 'ed32c589cee4494eb71bd63f8c60bcb2', NULL, NULL, NULL, true);
INSERT INTO public.grade VALUES ('42bdcc4296ad4ac38335eba3c133177c', 'af6e1e01f0d7493e8509691d571e71b0', 'e28158b694f848a3a8f7862626e0bd97', 1, NULL, NULL, false);
INSERT INTO public.grade VALUES ('7497345df6ff46c5809522071a7b4a2a', 'af6e1e01f0d7493e8509691d571e71b0', '314aad56d6c748b89837d92becf3a6c9', 0, NULL, NULL, false);
INSERT INTO public.grade VALUES ('cf111248fec04cf0ab02d6da6ae8ad54', 'af6e1e01f0d7493e8509691d571e71b0', '69a3424a95fe4067a51f6bf4d9ba2550', 2, NULL, NULL, false);
INSERT INTO public.grade VALUES ('8208487b62f94c0991e3ca506d69b7f1', '094a1c429be44336b8940d3ea141d7da', '2370811640c34f2ea9a3f18f45e7680a', NULL, NULL, NULL, true);
INSERT INTO public.grade VALUES ('c3b9f23895b3427babe4f3c93e14e17f', '094a1c429be44336b8940d3ea141d7da', '507f96cc68e545bb9dbd43ae70be56c2', 1, NULL, NULL, false);
INSERT INTO public.grade VALUES ('993983ae99f848d48011d03e2872f1fe', '094a1c429be44336b8940d3ea141d7da', '5bed64d2586745b8a893572b7183945a', 0, NULL, NULL, false);
INSERT INTO public.grade VALUES ('1b7af6e594b54be1bdfdef4fb37cd7ed', '094a1c429be44336b8940d3ea141d7da', '43e0e53f5a50481f9515cfa3e0461163', 2, NULL, NULL, false);
INSERT INTO public.grade VALUES ('4331cd3c1b964af3912e42adf62acc46', '7a6736902df34cf983a6897c8f920700', 'ed32c589cee4494eb71bd63f8c60bcb2', NULL, 3.5, 0.5, false);
INSERT INTO public.grade_cells VALUES ('e28158b694f848a3a8f7862626e0bd97', 1, 'code');
INSERT INTO public.grade_cells VALUES ('314aad56d6c748b89837d92becf3a6c9', 2, 'code');
INSERT INTO public.grade_cells VALUES ('69a3424a95fe4067a51f6bf4d9ba2550', 2, 'code');
INSERT INTO public.grade_cells VALUES ('ed32c589cee4494eb71bd63f8c60bcb2', 4, 'markdown');
INSERT INTO public.grade_cells VALUES ('507f96cc68e545bb9dbd43ae70be56c2', 1, 'code');
INSERT INTO public.grade_cells VALUES ('5bed64d2586745b8a893572b7183945a', 2, 'code');
INSERT INTO public.grade_cells VALUES ('43e0e53f5a50481f9515cfa3e0461163', 2, 'code');
INSERT INTO public.grade_cells VALUES ('2370811640c34f2ea9a3f18f45e7680a', 4, 'markdown');
INSERT INTO public.grade_cells VALUES ('d67c59c8cfe34b328a48b7ca4698b20f', 1, 'code');
INSERT INTO public.grade_cells VALUES ('c541c07ab4fd4aa78c509ee3ef1bbf44', 2, 'code');
INSERT INTO public.grade_cells VALUES ('5653885e7a9a450492686b65814624d4', 2, 'code');
INSERT INTO public.grade_cells VALUES ('2b649e8a394e46af87ee8bcc044303dd', 4, 'markdown');
INSERT INTO public.grade_cells VALUES ('3d756aa586ea43628208a6547a6ddb76', 1, 'code');
INSERT INTO public.grade_cells VALUES ('84965d2ae57a4ca8b261cf63f449e787', 1, 'code');
INSERT INTO public.notebook VALUES ('0123651ccc454ae2b57f8d058eb7f2b3', 'doubling', '9d41f2c10bcd4f5198b865ed8d8c14ca', '{"display_name": "Python 3", "language": "python", "name": "python3"}');
INSERT INTO public.notebook VALUES ('6c4acc4787784389b30d9d09bbed97e6', 'doubling', 'e8a965f725414c5abd59c025296d35a8', '{"display_name": "Python 3", "language": "python", "name": "python3"}');
INSERT INTO public.notebook VALUES ('0ab1f43bec984236ad2f94fb7c7b3aa1', 'doubling', '5f63c515d8d94fa5ad3245fb2706712d', '{"display_name": "Python 3", "language": "python", "name": "python3"}');
INSERT INTO public.notebook VALUES ('a8c6bff024234d928e411530b8badf4f', 'start', '54e728b5cbb34d1f9fb2373409052f92', '{"display_name": "Python 3", "language": "python", "name": "python3"}');
INSERT INTO public.solution_cells VALUES ('23cdc2e3c4234294a3e1d59175c2c85f');
INSERT INTO public.solution_cells VALUES ('05859a76ffbc42d5953386f1f51abcc7');
INSERT INTO public.solution_cells VALUES ('19e6b5c707424cb4828ce582f297d580');
INSERT INTO public.solution_cells VALUES ('95bb2a42ab99489da0247717da0185b9');
INSERT INTO public.solution_cells VALUES ('e957453d384442a2a6ee89335fd3bcb1');
INSERT INTO public.solution_cells VALUES ('1832207491664cdebc19ff7df5648ec9');
INSERT INTO public.solution_cells VALUES ('114adc8098784751bcf49e82b6176079');
INSERT INTO public.solution_cells VALUES ('cd940a050c2d45cbbf77236cc342ee02');
INSERT INTO public.solution_cells VALUES ('c3c770fcb6cd480790abbfdfc8445987');
INSERT INTO public.solution_cells VALUES ('647bbc25a171426bb8b6d0dcef6f5287');
INSERT INTO public.source_cell VALUES ('aeb36a8dc6354b3c9e1df16ca8aa8cb5', 'given', 'code', true, 'SIZE = 3', '8876930e2e0d41e0dd6e517e4dccaa6b', '0123651ccc454ae2b57f8d058eb7f2b3');
INSERT INTO public.source_cell VALUES ('4e16e43ba4044a699f388bda7f01a5c4', 'double', 'code', false, 'def double(x):
    # YOUR CODE HERE
    raise NotImplementedError()', 'c057dcaa0110547c0d8860f1f6bbe486', '0123651ccc454ae2b57f8d058eb7f2b3');
INSERT INTO public.source_cell VALUES ('2e343bf752c84d0d8fe76e31ecf1040d', 'double_test', 'code', true, 'assert double(SIZE) == 6', '2a80358e3710a4d10e01004874cb4639', '0123651ccc454ae2b57f8d058eb7f2b3');
INSERT INTO public.source_cell VALUES ('2c9095137971472b849f0a2a9899f4c8', 'double_hidden', 'code', true, '### BEGIN HIDDEN TESTS
assert double(4711) == 9422
### END HIDDEN TESTS', '3d4025971865f32b11e49f32164d3cc8', '0123651ccc454ae2b57f8d058eb7f2b3');
INSERT INTO public.source_cell VALUES ('ea75b2b875b84d458def089247be8e30', 'square', 'code', false, 'def square(x):
    # YOUR CODE HERE
    raise NotImplementedError()', '70386027f04d045b2d7be9751bcbb8e1', '0123651ccc454ae2b57f8d058eb7f2b3');
INSERT INTO public.source_cell VALUES ('1efb35ffc841410ca37ebd1481792b04', 'square_test', 'code', true, 'assert square(3) == 9', '2f37bae1c848b9ef52df856e6b8fa985', '0123651ccc454ae2b57f8d058eb7f2b3');
INSERT INTO public.source_cell VALUES ('3910a8cb21d44aa4bc4c0961e8bf49a4', 'why', 'markdown', false, 'YOUR ANSWER HERE', '7f4194da1ea26f26506647339121f078', '0123651ccc454ae2b57f8d058eb7f2b3');
INSERT INTO public.source_cell VALUES ('95f8b3bc7f914b4ba23f0981db277c59', 'given', 'code', true, 'SIZE = 3', '8876930e2e0d41e0dd6e517e4dccaa6b', '6c4acc4787784389b30d9d09bbed97e6');
INSERT INTO public.source_cell VALUES ('dc01e20681d241ae9f25ac1b049c7e5e', 'double', 'code', false, 'def double(x):
    # YOUR CODE HERE
    raise NotImplementedError()', 'c057dcaa0110547c0d8860f1f6bbe486', '6c4acc4787784389b30d9d09bbed97e6');
INSERT INTO public.source_cell VALUES ('7e9c24b134114a9998d581c7ffc18a93', 'double_test', 'code', true, 'assert double(SIZE) == 6', '2a80358e3710a4d10e01004874cb4639', '6c4acc4787784389b30d9d09bbed97e6');
INSERT INTO public.source_cell VALUES ('e72d8103161b41d3b35a834f5dad53db', 'double_hidden', 'code', true, '### BEGIN HIDDEN TESTS
assert double(4711) == 9422
### END HIDDEN TESTS', '3d4025971865f32b11e49f32164d3cc8', '6c4acc4787784389b30d9d09bbed97e6');
INSERT INTO public.source_cell VALUES ('5f29ffe2107b483b95807cdb95738f12', 'square', 'code', false, 'def square(x):
    # YOUR CODE HERE
    raise NotImplementedError()', '70386027f04d045b2d7be9751bcbb8e1', '6c4acc4787784389b30d9d09bbed97e6');
INSERT INTO public.source_cell VALUES ('af3982b414504c5b8864a3f85afa8480', 'square_test', 'code', true, 'assert square(3) == 9', '2f37bae1c848b9ef52df856e6b8fa985', '6c4acc4787784389b30d9d09bbed97e6');
INSERT INTO public.source_cell VALUES ('273f381aee2342fda020cebf2db1b23b', 'why', 'markdown', false, 'YOUR ANSWER HERE', '7f4194da1ea26f26506647339121f078', '6c4acc4787784389b30d9d09bbed97e6');
INSERT INTO public.source_cell VALUES ('5b2d513caa9f48878dd1ab3ac302f78b', 'given', 'code', true, 'SIZE = 3', '8876930e2e0d41e0dd6e517e4dccaa6b', '0ab1f43bec984236ad2f94fb7c7b3aa1');
INSERT INTO public.source_cell VALUES ('7e3e0aab3891476bbad51ff2f320224b', 'double', 'code', false, 'def double(x):
    # YOUR CODE HERE
    raise NotImplementedError()', 'c057dcaa0110547c0d8860f1f6bbe486', '0ab1f43bec984236ad2f94fb7c7b3aa1');
INSERT INTO public.source_cell VALUES ('e09e9dfe3a474cbaa9981230647c504c', 'double_test', 'code', true, 'assert double(SIZE) == 6', '2a80358e3710a4d10e01004874cb4639', '0ab1f43bec984236ad2f94fb7c7b3aa1');
INSERT INTO public.source_cell VALUES ('f5ed031c4a864b1587416857615ed613', 'double_hidden', 'code', true, '### BEGIN HIDDEN TESTS
assert double(4711) == 9422
### END HIDDEN TESTS', '3d4025971865f32b11e49f32164d3cc8', '0ab1f43bec984236ad2f94fb7c7b3aa1');
INSERT INTO public.source_cell VALUES ('9044e413d89041d0808af7186296fcd3', 'square', 'code', false, 'def square(x):
    # YOUR CODE HERE
    raise NotImplementedError()', '70386027f04d045b2d7be9751bcbb8e1', '0ab1f43bec984236ad2f94fb7c7b3aa1');
INSERT INTO public.source_cell VALUES ('2070f5f88a32447da0fc3c520f9acc14', 'square_test', 'code', true, 'assert square(3) == 9', '2f37bae1c848b9ef52df856e6b8fa985', '0ab1f43bec984236ad2f94fb7c7b3aa1');
INSERT INTO public.source_cell VALUES ('ac664032744344f884f69d4a6427f023', 'why', 'markdown', false, 'YOUR ANSWER HERE', '7f4194da1ea26f26506647339121f078', '0ab1f43bec984236ad2f94fb7c7b3aa1');
INSERT INTO public.source_cell VALUES ('ca3ef860269a42308df6a546b6c90540', 'released-1', 'code', true, 'import plotly.graph_objects as go
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
plots.attention_heatmap(pattern, letters, title="Layer 1, head 0: which letter looks at which?")', 'c86b402e255f848f4043acb5ab93a32a', 'a8c6bff024234d928e411530b8badf4f');
INSERT INTO public.source_cell VALUES ('b11f83460fba41a98515c6d6f22f6b70', 'released-2', 'code', true, 'def guesses(logits):
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
bars(before=guesses(logits))', '38be79da54ddffa6d81960d747e42581', 'a8c6bff024234d928e411530b8badf4f');
INSERT INTO public.source_cell VALUES ('bdbebf71d1f248d2831d2a48dbcf362d', 'released-3', 'code', true, 'TARGET = text.index("N") + 1  # where the letter N stands in the text, counting ⊢ as position 0
def look_at_target(pattern, hook):
    """Attention [batch head query key]: the last query looks at TARGET and nowhere else."""
    pattern[:, :, -1, :] = 0
    pattern[:, :, -1, TARGET] = 1
    return pattern
edited = net.run_with_hooks(ids, fwd_hooks=[("blocks.1.attn.hook_pattern", look_at_target)])
bars(before=guesses(logits), after=guesses(edited))', '69b608d061984f2438027478300ead59', 'a8c6bff024234d928e411530b8badf4f');
INSERT INTO public.source_cell VALUES ('c94181ad31374636a1fdf7e599eede2d', 'likeliest', 'code', false, 'def likeliest(logits: torch.Tensor) -> int:
    """The id of the largest of `logits` [vocab]."""
    # YOUR CODE HERE
    raise NotImplementedError()', 'e193f742df6a68a6e28c1c9bb8d06338', 'a8c6bff024234d928e411530b8badf4f');
INSERT INTO public.source_cell VALUES ('6d5634fd6fd647a9a60b875f7b8158e9', 'likeliest_test', 'code', true, 'got = likeliest(torch.tensor([0.5, -1.0, 3.5, 3.0]))
checks.check_equal(
    got, 2, "likeliest([0.5, -1.0, 3.5, 3.0])", hint="Is it the place, or the number?"
)
assert type(got) is int, "an int is asked for"', 'a8fbd26b4615627aaaf380ef105db831', 'a8c6bff024234d928e411530b8badf4f');
INSERT INTO public.source_cell VALUES ('a2b4c3c409134857aa7bfae165f83a3f', 'likeliest_test_2', 'code', true, '# Hidden: other logits, of other lengths. This runs when you have submitted.
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
### END HIDDEN TESTS', '17f197c149a4b8be2725fe82f5266874', 'a8c6bff024234d928e411530b8badf4f');
INSERT INTO public.student VALUES ('alice', NULL, NULL, NULL, NULL);
INSERT INTO public.student VALUES ('bob', 'Bob', 'Öztürk', 'bob@example.org', '4711');
INSERT INTO public.student VALUES ('carol', 'Carol', 'de la Cruz', NULL, NULL);
INSERT INTO public.student VALUES ('dana@example.org', 'Dana', 'Doe', 'dana@example.org', NULL);
INSERT INTO public.student VALUES ('erik', NULL, NULL, NULL, NULL);
INSERT INTO public.submitted_assignment VALUES ('c98f7fb67070414bb8a076ee581e8389', '9d41f2c10bcd4f5198b865ed8d8c14ca', 'alice', '2026-11-30 10:52:39.230522', NULL);
INSERT INTO public.submitted_assignment VALUES ('dd5cfda12b7f43bb8a1a7b6562383eb4', '9d41f2c10bcd4f5198b865ed8d8c14ca', 'bob', '2026-11-30 10:52:43.062727', NULL);
INSERT INTO public.submitted_assignment VALUES ('cb08fcf5b7874f64afeb3cb78f2df667', 'e8a965f725414c5abd59c025296d35a8', 'alice', '2026-11-30 10:52:39.768213', NULL);
INSERT INTO public.submitted_notebook VALUES ('094a1c429be44336b8940d3ea141d7da', 'cb08fcf5b7874f64afeb3cb78f2df667', '6c4acc4787784389b30d9d09bbed97e6', false, 0.6000000000000001);
INSERT INTO public.submitted_notebook VALUES ('7a6736902df34cf983a6897c8f920700', 'c98f7fb67070414bb8a076ee581e8389', '0123651ccc454ae2b57f8d058eb7f2b3', false, 0.9);
INSERT INTO public.submitted_notebook VALUES ('af6e1e01f0d7493e8509691d571e71b0', 'dd5cfda12b7f43bb8a1a7b6562383eb4', '0123651ccc454ae2b57f8d058eb7f2b3', false, 0.30000000000000004);
ALTER TABLE ONLY public.assignment
    ADD CONSTRAINT assignment_name_key UNIQUE (name);
ALTER TABLE ONLY public.assignment
    ADD CONSTRAINT assignment_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.base_cell
    ADD CONSTRAINT base_cell_name_notebook_id_type_key UNIQUE (name, notebook_id, type);
ALTER TABLE ONLY public.base_cell
    ADD CONSTRAINT base_cell_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.comment
    ADD CONSTRAINT comment_cell_id_notebook_id_key UNIQUE (cell_id, notebook_id);
ALTER TABLE ONLY public.comment
    ADD CONSTRAINT comment_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.course
    ADD CONSTRAINT course_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.grade
    ADD CONSTRAINT grade_cell_id_notebook_id_key UNIQUE (cell_id, notebook_id);
ALTER TABLE ONLY public.grade_cells
    ADD CONSTRAINT grade_cells_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.grade
    ADD CONSTRAINT grade_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.notebook
    ADD CONSTRAINT notebook_name_assignment_id_key UNIQUE (name, assignment_id);
ALTER TABLE ONLY public.notebook
    ADD CONSTRAINT notebook_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.solution_cells
    ADD CONSTRAINT solution_cells_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.source_cell
    ADD CONSTRAINT source_cell_name_notebook_id_key UNIQUE (name, notebook_id);
ALTER TABLE ONLY public.source_cell
    ADD CONSTRAINT source_cell_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.student
    ADD CONSTRAINT student_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.submitted_assignment
    ADD CONSTRAINT submitted_assignment_assignment_id_student_id_key UNIQUE (assignment_id, student_id);
ALTER TABLE ONLY public.submitted_assignment
    ADD CONSTRAINT submitted_assignment_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.submitted_notebook
    ADD CONSTRAINT submitted_notebook_notebook_id_assignment_id_key UNIQUE (notebook_id, assignment_id);
ALTER TABLE ONLY public.submitted_notebook
    ADD CONSTRAINT submitted_notebook_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.task_cells
    ADD CONSTRAINT task_cells_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.assignment
    ADD CONSTRAINT assignment_course_id_fkey FOREIGN KEY (course_id) REFERENCES public.course(id);
ALTER TABLE ONLY public.base_cell
    ADD CONSTRAINT base_cell_notebook_id_fkey FOREIGN KEY (notebook_id) REFERENCES public.notebook(id);
ALTER TABLE ONLY public.comment
    ADD CONSTRAINT comment_cell_id_fkey FOREIGN KEY (cell_id) REFERENCES public.base_cell(id);
ALTER TABLE ONLY public.comment
    ADD CONSTRAINT comment_notebook_id_fkey FOREIGN KEY (notebook_id) REFERENCES public.submitted_notebook(id);
ALTER TABLE ONLY public.grade
    ADD CONSTRAINT grade_cell_id_fkey FOREIGN KEY (cell_id) REFERENCES public.base_cell(id);
ALTER TABLE ONLY public.grade_cells
    ADD CONSTRAINT grade_cells_id_fkey FOREIGN KEY (id) REFERENCES public.base_cell(id);
ALTER TABLE ONLY public.grade
    ADD CONSTRAINT grade_notebook_id_fkey FOREIGN KEY (notebook_id) REFERENCES public.submitted_notebook(id);
ALTER TABLE ONLY public.notebook
    ADD CONSTRAINT notebook_assignment_id_fkey FOREIGN KEY (assignment_id) REFERENCES public.assignment(id);
ALTER TABLE ONLY public.solution_cells
    ADD CONSTRAINT solution_cells_id_fkey FOREIGN KEY (id) REFERENCES public.base_cell(id);
ALTER TABLE ONLY public.source_cell
    ADD CONSTRAINT source_cell_notebook_id_fkey FOREIGN KEY (notebook_id) REFERENCES public.notebook(id);
ALTER TABLE ONLY public.submitted_assignment
    ADD CONSTRAINT submitted_assignment_assignment_id_fkey FOREIGN KEY (assignment_id) REFERENCES public.assignment(id);
ALTER TABLE ONLY public.submitted_assignment
    ADD CONSTRAINT submitted_assignment_student_id_fkey FOREIGN KEY (student_id) REFERENCES public.student(id);
ALTER TABLE ONLY public.submitted_notebook
    ADD CONSTRAINT submitted_notebook_assignment_id_fkey FOREIGN KEY (assignment_id) REFERENCES public.submitted_assignment(id);
ALTER TABLE ONLY public.submitted_notebook
    ADD CONSTRAINT submitted_notebook_notebook_id_fkey FOREIGN KEY (notebook_id) REFERENCES public.notebook(id);
ALTER TABLE ONLY public.task_cells
    ADD CONSTRAINT task_cells_id_fkey FOREIGN KEY (id) REFERENCES public.base_cell(id);
