BEGIN TRANSACTION;
CREATE TABLE feedback (
	receipt VARCHAR(255) NOT NULL, 
	sha256 VARCHAR(255) NOT NULL, 
	size INTEGER NOT NULL, 
	files JSON NOT NULL, 
	released_at DATETIME NOT NULL, 
	released_by VARCHAR(255) NOT NULL, 
	PRIMARY KEY (receipt), 
	FOREIGN KEY(receipt) REFERENCES submissions (receipt)
);
INSERT INTO "feedback" VALUES('7884e939d6f74057bc28a59ee32a2d51','44777fe0d1a594b8af0d18ec3b524d86f94e79e80c9ddab185bfad9b217d0136',15360,'{"doubling.html": "d906b7062ba011f9d8165dc4352c91363c31cb33cf297a86629b709d5c4cab2f"}','2026-11-30 10:46:43.243100','grader-interp');
INSERT INTO "feedback" VALUES('e556e2f7967d4a9785b408d52b7b5a96','259100cc12a2eb3ab11b219261fe7dd975ffe07955103a42513128c09546f9cf',15872,'{"doubling.html": "0beab2e3ce6f1728db360d094d5cc5c91b1829ffc0994ede547359008f1bb3eb"}','2026-11-30 10:46:43.290877','grader-interp');
CREATE TABLE releases (
	course VARCHAR(255) NOT NULL, 
	assignment VARCHAR(255) NOT NULL, 
	sha256 VARCHAR(255) NOT NULL, 
	size INTEGER NOT NULL, 
	notebooks JSON NOT NULL, 
	due DATETIME, 
	released_at DATETIME NOT NULL, 
	released_by VARCHAR(255) NOT NULL, 
	PRIMARY KEY (course, assignment)
);
INSERT INTO "releases" VALUES('interp','warmup','46e6cdb50ec2c6ac693f63681feb1c20b10214ef1a8910c15e13c1b88dd2d9d6',5632,'["doubling"]',NULL,'2026-11-30 10:44:55.018873','grader-interp');
INSERT INTO "releases" VALUES('interp','kernel','46e6cdb50ec2c6ac693f63681feb1c20b10214ef1a8910c15e13c1b88dd2d9d6',5632,'["doubling"]','2026-11-29 03:40:00.000000','2026-11-30 10:44:55.282810','grader-interp');
INSERT INTO "releases" VALUES('interp','start','f05cdfe0e858dd3b12dd94dc1c0cf37867558c8f7fb97fbf9964a747e40126e2',14848,'["start"]',NULL,'2026-11-30 10:44:55.514821','grader-interp');
CREATE TABLE submissions (
	number INTEGER NOT NULL, 
	receipt VARCHAR(255) NOT NULL, 
	course VARCHAR(255) NOT NULL, 
	assignment VARCHAR(255) NOT NULL, 
	student VARCHAR(255) NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	sha256 VARCHAR(255) NOT NULL, 
	size INTEGER NOT NULL, 
	files INTEGER NOT NULL, 
	notebooks JSON NOT NULL, 
	received_at DATETIME NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (student, "key"), 
	UNIQUE (course, assignment, student, received_at), 
	UNIQUE (receipt)
);
INSERT INTO "submissions" VALUES(1,'20a4b8c39e8e474fbd9ab0dd48875f34','interp','warmup','alice','cc64b8c0-f052-442b-957a-0151cb2c7fb5','4c38c2a3e84534e636a10ad2de5555a8deb11d6746dc4bfeb34e453464d160af',5120,1,'["doubling"]','2026-11-30 10:46:01.610980');
INSERT INTO "submissions" VALUES(2,'7884e939d6f74057bc28a59ee32a2d51','interp','warmup','alice','a1c79155-d493-4f4b-9134-e4e076909277','4f0158812e36027a5f0698f84361bae7a178a7212f99024a70bffe0102c8615f',5120,1,'["doubling"]','2026-11-30 10:46:02.066806');
INSERT INTO "submissions" VALUES(3,'68eca36ec5f048a5a411b9da2a26fb90','interp','kernel','alice','95eb5c2d-870a-4a64-8b60-32e9397688b8','4c38c2a3e84534e636a10ad2de5555a8deb11d6746dc4bfeb34e453464d160af',5120,1,'["doubling"]','2026-11-30 10:46:02.522346');
INSERT INTO "submissions" VALUES(4,'e556e2f7967d4a9785b408d52b7b5a96','interp','warmup','bob','153485e0-9f2f-437e-8bab-4496c640dae4','4c38c2a3e84534e636a10ad2de5555a8deb11d6746dc4bfeb34e453464d160af',5120,1,'["doubling"]','2026-11-30 10:46:05.574708');
INSERT INTO "submissions" VALUES(5,'efcf8847cda14087a93a22f2ca339d43','interp','warmup','carol','7b033258-42b3-40b2-8a01-911bab520220','4f0158812e36027a5f0698f84361bae7a178a7212f99024a70bffe0102c8615f',5120,1,'["doubling"]','2026-11-30 10:46:44.034012');
CREATE INDEX ix_releases_sha256 ON releases (sha256);
CREATE INDEX ix_submissions_sha256 ON submissions (sha256);
CREATE INDEX ix_feedback_sha256 ON feedback (sha256);
COMMIT;
