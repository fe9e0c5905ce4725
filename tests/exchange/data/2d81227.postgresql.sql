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
INSERT INTO public.feedback VALUES ('000000a3d70a3d70a3d67880f971ea5d', 'de21e4144f06c83e0d9e4eec98d803f0a053a8e55cadf30cbad8cba15dc75789', 2048, '{"induction-heads.html": "146e4f95690f82edde5e84d57fce45c83b0883da42b04fbc97c9c47530c3055f"}', '2026-11-05 07:00:00.123456', 'prof');
INSERT INTO public.feedback VALUES ('000001111111111111101e2c4a68869b', 'c4a680c5d1ed8875a4af11955c6d919fb6fefb9b9d2cb76848bd9092780abd33', 3072, '{"a.html": "e1bea8f4f637fc2f4ae111cab57a6f271425b963a9ecad7397e339148ac91c28", "b.html": "2e9797e0da415666afa87d0387fa2c706c6b37d71b9af21541be304735c6f688"}', '2026-11-05 14:00:00.123456', 'prof');
INSERT INTO public.feedback VALUES ('00000147ae147ae147acf101f2e3d4ba', 'fe57bc0df604f2911e942017af6bcd3bd452791274f4eb2c5b9a8e76e74b68fd', 2048, '{"induction-heads.html": "95d0c308144984899b18032577c48ea47dd38e2ff7508fa5e130c3967f5ce571"}', '2026-11-05 21:00:00.123456', 'prof');
INSERT INTO public.releases VALUES ('mechinterp', 'start', '4c580ea10b50c771b8c94ec6d01da6f2353904eae82e3800297814fb349dc7f7', 3072, '["induction-heads"]', '2026-11-04 12:00:00', '2026-11-02 16:00:00.123456', 'prof');
INSERT INTO public.releases VALUES ('uebung-2', 'start', '24a9da3f9ac6ad429e8e214b4ea6b17f51b4186a1edd9debde733767c5c36fda', 3072, '["induction-heads"]', '2026-11-04 12:00:00', '2026-11-03 06:00:00.123456', 'prof');
INSERT INTO public.submissions VALUES (1, '000000a3d70a3d70a3d67880f971ea5d', 'mechinterp', 'start', 'alice', '18df5950-7490-50dc-9851-3404eb63345f', 'fc3e0e5a3bba3fbe987d135f56cf556da299ce45a2b4c94ae385cb58c44152ae', 3072, 2, '["induction-heads"]', '2026-11-03 13:00:00.123456');
INSERT INTO public.submissions VALUES (2, '000000da740da740da734b56a1ed387c', 'mechinterp', '06-induction-heads', 'alice', '450d7b99-82d4-5f71-b0a9-a30d37bbca60', '860740b3fe2a30c95b855e2a19cc91e5fe7b9b9e621a3e314782b30a1e24850d', 3072, 2, '["induction-heads"]', '2026-11-03 20:00:00.123456');
INSERT INTO public.submissions VALUES (3, '000001111111111111101e2c4a68869b', 'mechinterp', 'start', 'bob@example.org', '32663d84-acb0-5786-bff5-aab2f3c7662c', 'fc3e0e5a3bba3fbe987d135f56cf556da299ce45a2b4c94ae385cb58c44152ae', 3072, 2, '["induction-heads"]', '2026-11-04 03:00:00.123456');
INSERT INTO public.submissions VALUES (4, '00000147ae147ae147acf101f2e3d4ba', 'uebung-2', 'start', 'zoë', 'dcc20b79-4579-5d5f-a150-0ead96dc9d8c', 'f6afaddecdfe194a60495d45ceeb8aecb8102e16b1c1e084211a52142496709a', 3072, 2, '["induction-heads"]', '2026-11-04 10:00:00.123456');
INSERT INTO public.submissions VALUES (5, '0000017e4b17e4b17e49c3d79b5f22d9', 'uebung-2', 'start', 'alice', '754101ee-117a-56f9-ac1b-90b352b5fa2d', '24a9da3f9ac6ad429e8e214b4ea6b17f51b4186a1edd9debde733767c5c36fda', 3072, 2, '["induction-heads"]', '2026-11-04 17:00:00.123456');
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
