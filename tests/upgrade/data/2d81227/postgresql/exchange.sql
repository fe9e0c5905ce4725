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
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.feedback (
    receipt character varying(255) NOT NULL,
    sha256 character varying(255) NOT NULL,
    size integer NOT NULL,
    files json NOT NULL,
    released_at timestamp without time zone NOT NULL,
    released_by character varying(255) NOT NULL
);
CREATE TABLE public.releases (
    course character varying(255) NOT NULL,
    assignment character varying(255) NOT NULL,
    sha256 character varying(255) NOT NULL,
    size integer NOT NULL,
    notebooks json NOT NULL,
    due timestamp without time zone,
    released_at timestamp without time zone NOT NULL,
    released_by character varying(255) NOT NULL
);
CREATE TABLE public.submissions (
    number integer NOT NULL,
    receipt character varying(255) NOT NULL,
    course character varying(255) NOT NULL,
    assignment character varying(255) NOT NULL,
    student character varying(255) NOT NULL,
    key character varying(255) NOT NULL,
    sha256 character varying(255) NOT NULL,
    size integer NOT NULL,
    files integer NOT NULL,
    notebooks json NOT NULL,
    received_at timestamp without time zone NOT NULL
);
CREATE SEQUENCE public.submissions_number_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.submissions_number_seq OWNED BY public.submissions.number;
ALTER TABLE ONLY public.submissions ALTER COLUMN number SET DEFAULT nextval('public.submissions_number_seq'::regclass);
INSERT INTO public.feedback VALUES ('d13baf1124a146e8bf6f27aa9e433e97', '44777fe0d1a594b8af0d18ec3b524d86f94e79e80c9ddab185bfad9b217d0136', 15360, '{"doubling.html": "d906b7062ba011f9d8165dc4352c91363c31cb33cf297a86629b709d5c4cab2f"}', '2026-11-30 10:53:14.41759', 'grader-interp');
INSERT INTO public.feedback VALUES ('ca55724cb41542e4a3c695937c80881c', '144f6976d0fa70004649dc4aa838a53e1808131fb1cb89edf061e2781afa7ffd', 15872, '{"doubling.html": "0299d53c89d859e1c67a680a2e42afff40aaf69db495a0cb1d78d504a9f6c826"}', '2026-11-30 10:53:14.4868', 'grader-interp');
INSERT INTO public.releases VALUES ('interp', 'warmup', '46e6cdb50ec2c6ac693f63681feb1c20b10214ef1a8910c15e13c1b88dd2d9d6', 5632, '["doubling"]', NULL, '2026-11-30 10:51:55.43994', 'grader-interp');
INSERT INTO public.releases VALUES ('interp', 'kernel', '46e6cdb50ec2c6ac693f63681feb1c20b10214ef1a8910c15e13c1b88dd2d9d6', 5632, '["doubling"]', '2026-11-29 03:47:00', '2026-11-30 10:51:55.649783', 'grader-interp');
INSERT INTO public.releases VALUES ('interp', 'start', 'f05cdfe0e858dd3b12dd94dc1c0cf37867558c8f7fb97fbf9964a747e40126e2', 14848, '["start"]', NULL, '2026-11-30 10:51:55.874857', 'grader-interp');
INSERT INTO public.submissions VALUES (1, '82770d102b5f4c1c9295c54b11faa092', 'interp', 'warmup', 'alice', '14ae7c12-4eea-4f26-9911-b4e21baebb41', '4c38c2a3e84534e636a10ad2de5555a8deb11d6746dc4bfeb34e453464d160af', 5120, 1, '["doubling"]', '2026-11-30 10:52:38.826697');
INSERT INTO public.submissions VALUES (2, 'd13baf1124a146e8bf6f27aa9e433e97', 'interp', 'warmup', 'alice', 'e7707bd2-ea70-4db8-b4b3-d4c3d57e7cee', '4f0158812e36027a5f0698f84361bae7a178a7212f99024a70bffe0102c8615f', 5120, 1, '["doubling"]', '2026-11-30 10:52:39.230522');
INSERT INTO public.submissions VALUES (3, 'b91832b690a94d22ac4cab1d5bd7ae07', 'interp', 'kernel', 'alice', 'cd9ebbbe-f30c-45de-a056-93990e3bfd3a', '4c38c2a3e84534e636a10ad2de5555a8deb11d6746dc4bfeb34e453464d160af', 5120, 1, '["doubling"]', '2026-11-30 10:52:39.768213');
INSERT INTO public.submissions VALUES (4, 'ca55724cb41542e4a3c695937c80881c', 'interp', 'warmup', 'bob', '96dfff7f-e247-4202-b64c-f1c7537fd15d', '4c38c2a3e84534e636a10ad2de5555a8deb11d6746dc4bfeb34e453464d160af', 5120, 1, '["doubling"]', '2026-11-30 10:52:43.062727');
INSERT INTO public.submissions VALUES (5, '4dad961984714523b98742d1cd8121fe', 'interp', 'warmup', 'carol', '34bd39e0-e888-4948-848f-c11b1ca032a3', '4f0158812e36027a5f0698f84361bae7a178a7212f99024a70bffe0102c8615f', 5120, 1, '["doubling"]', '2026-11-30 10:53:15.360234');
SELECT pg_catalog.setval('public.submissions_number_seq', 5, true);
ALTER TABLE ONLY public.feedback
    ADD CONSTRAINT feedback_pkey PRIMARY KEY (receipt);
ALTER TABLE ONLY public.releases
    ADD CONSTRAINT releases_pkey PRIMARY KEY (course, assignment);
ALTER TABLE ONLY public.submissions
    ADD CONSTRAINT submissions_course_assignment_student_received_at_key UNIQUE (course, assignment, student, received_at);
ALTER TABLE ONLY public.submissions
    ADD CONSTRAINT submissions_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.submissions
    ADD CONSTRAINT submissions_receipt_key UNIQUE (receipt);
ALTER TABLE ONLY public.submissions
    ADD CONSTRAINT submissions_student_key_key UNIQUE (student, key);
CREATE INDEX ix_feedback_sha256 ON public.feedback USING btree (sha256);
CREATE INDEX ix_releases_sha256 ON public.releases USING btree (sha256);
CREATE INDEX ix_submissions_sha256 ON public.submissions USING btree (sha256);
ALTER TABLE ONLY public.feedback
    ADD CONSTRAINT feedback_receipt_fkey FOREIGN KEY (receipt) REFERENCES public.submissions(receipt);
