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
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.api_tokens (
    user_id integer,
    service_id integer,
    id integer NOT NULL,
    hashed character varying(255),
    prefix character varying(16),
    client_id character varying(255),
    session_id character varying(255),
    created timestamp without time zone,
    expires_at timestamp without time zone,
    last_activity timestamp without time zone,
    note character varying(1023),
    scopes text
);
CREATE SEQUENCE public.api_tokens_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.api_tokens_id_seq OWNED BY public.api_tokens.id;
CREATE TABLE public.group_role_map (
    group_id integer NOT NULL,
    role_id integer NOT NULL,
    managed_by_auth boolean NOT NULL
);
CREATE TABLE public.groups (
    id integer NOT NULL,
    name character varying(255),
    properties text
);
CREATE SEQUENCE public.groups_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.groups_id_seq OWNED BY public.groups.id;
CREATE TABLE public.oauth_clients (
    id integer NOT NULL,
    identifier character varying(255),
    description character varying(1023),
    secret character varying(255),
    redirect_uri character varying(1023),
    allowed_scopes text
);
CREATE SEQUENCE public.oauth_clients_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.oauth_clients_id_seq OWNED BY public.oauth_clients.id;
CREATE TABLE public.oauth_codes (
    id integer NOT NULL,
    client_id character varying(255),
    code character varying(36),
    expires_at integer,
    redirect_uri character varying(1023),
    session_id character varying(255),
    user_id integer,
    scopes text,
    code_challenge character varying(255),
    code_challenge_method character varying(64)
);
CREATE SEQUENCE public.oauth_codes_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.oauth_codes_id_seq OWNED BY public.oauth_codes.id;
CREATE TABLE public.password_links (
    name character varying(255) NOT NULL,
    hashed character varying(64) NOT NULL,
    expires timestamp without time zone NOT NULL,
    issued_by character varying(255) NOT NULL
);
CREATE TABLE public.roles (
    id integer NOT NULL,
    name character varying(255),
    description character varying(1023),
    scopes text,
    managed_by_auth boolean NOT NULL
);
CREATE SEQUENCE public.roles_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.roles_id_seq OWNED BY public.roles.id;
CREATE TABLE public.servers (
    id integer NOT NULL,
    proto character varying(15),
    ip character varying(255),
    port integer,
    base_url character varying(255),
    cookie_name character varying(255)
);
CREATE SEQUENCE public.servers_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.servers_id_seq OWNED BY public.servers.id;
CREATE TABLE public.service_role_map (
    service_id integer NOT NULL,
    role_id integer NOT NULL,
    managed_by_auth boolean NOT NULL
);
CREATE TABLE public.services (
    id integer NOT NULL,
    name character varying(255),
    admin boolean,
    url character varying(2047),
    oauth_client_allowed_scopes text,
    info text,
    display boolean,
    oauth_no_confirm boolean,
    command text,
    cwd character varying(4095),
    environment text,
    "user" character varying(255),
    timeout integer NOT NULL,
    from_config boolean,
    _server_id integer,
    pid integer,
    oauth_client_id character varying(255)
);
CREATE SEQUENCE public.services_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.services_id_seq OWNED BY public.services.id;
CREATE TABLE public.share_codes (
    hashed character varying(255),
    prefix character varying(16),
    exchange_count integer,
    last_exchanged_at timestamp without time zone,
    id integer NOT NULL,
    created_at timestamp without time zone NOT NULL,
    scopes text,
    expires_at timestamp without time zone,
    owner_id integer,
    spawner_id integer
);
CREATE SEQUENCE public.share_codes_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.share_codes_id_seq OWNED BY public.share_codes.id;
CREATE TABLE public.shares (
    user_id integer,
    group_id integer,
    id integer NOT NULL,
    created_at timestamp without time zone NOT NULL,
    scopes text,
    expires_at timestamp without time zone,
    owner_id integer,
    spawner_id integer
);
CREATE SEQUENCE public.shares_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.shares_id_seq OWNED BY public.shares.id;
CREATE TABLE public.spawners (
    id integer NOT NULL,
    user_id integer,
    server_id integer,
    state text,
    name character varying(255),
    display_name character varying(255),
    started timestamp without time zone,
    last_activity timestamp without time zone,
    user_options text,
    oauth_client_id character varying(255)
);
CREATE SEQUENCE public.spawners_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.spawners_id_seq OWNED BY public.spawners.id;
CREATE TABLE public.user_group_map (
    user_id integer NOT NULL,
    group_id integer NOT NULL
);
CREATE TABLE public.user_role_map (
    user_id integer NOT NULL,
    role_id integer NOT NULL,
    managed_by_auth boolean NOT NULL
);
CREATE TABLE public.users (
    id integer NOT NULL,
    name character varying(255),
    user_info text,
    admin boolean,
    created timestamp without time zone,
    last_activity timestamp without time zone,
    cookie_id character varying(255) NOT NULL,
    state text,
    encrypted_auth_state bytea
);
CREATE SEQUENCE public.users_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.users_id_seq OWNED BY public.users.id;
CREATE TABLE public.users_info (
    id integer NOT NULL,
    username character varying(128) NOT NULL,
    password bytea NOT NULL,
    is_authorized boolean,
    login_email_sent boolean,
    email character varying(128),
    has_2fa boolean,
    otp_secret character varying(16)
);
CREATE SEQUENCE public.users_info_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.users_info_id_seq OWNED BY public.users_info.id;
ALTER TABLE ONLY public.api_tokens ALTER COLUMN id SET DEFAULT nextval('public.api_tokens_id_seq'::regclass);
ALTER TABLE ONLY public.groups ALTER COLUMN id SET DEFAULT nextval('public.groups_id_seq'::regclass);
ALTER TABLE ONLY public.oauth_clients ALTER COLUMN id SET DEFAULT nextval('public.oauth_clients_id_seq'::regclass);
ALTER TABLE ONLY public.oauth_codes ALTER COLUMN id SET DEFAULT nextval('public.oauth_codes_id_seq'::regclass);
ALTER TABLE ONLY public.roles ALTER COLUMN id SET DEFAULT nextval('public.roles_id_seq'::regclass);
ALTER TABLE ONLY public.servers ALTER COLUMN id SET DEFAULT nextval('public.servers_id_seq'::regclass);
ALTER TABLE ONLY public.services ALTER COLUMN id SET DEFAULT nextval('public.services_id_seq'::regclass);
ALTER TABLE ONLY public.share_codes ALTER COLUMN id SET DEFAULT nextval('public.share_codes_id_seq'::regclass);
ALTER TABLE ONLY public.shares ALTER COLUMN id SET DEFAULT nextval('public.shares_id_seq'::regclass);
ALTER TABLE ONLY public.spawners ALTER COLUMN id SET DEFAULT nextval('public.spawners_id_seq'::regclass);
ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);
ALTER TABLE ONLY public.users_info ALTER COLUMN id SET DEFAULT nextval('public.users_info_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('f460b0348206');
INSERT INTO public.api_tokens VALUES (NULL, 1, 1, 'sha512:1:b25e382f50c34a40:640fef0ab1be180638ab2774af0b67e2d6adf4ecd7ae9cb4e9ebdcbad0f85eebda481c9cdb4c6a7baf7b346b05ac159c490b7c814215d653ee17583759d92835', '4496', 'jupyterhub', NULL, '2026-11-30 10:51:18.156776', NULL, NULL, 'generated at startup', '["inherit"]');
INSERT INTO public.api_tokens VALUES (6, NULL, 11, 'sha512:1:8f2df9d9b9bf882f:1d1c4b2b8413aa038992b27e91a95b6453bb1ca46de45c00f62029a957b55eda32c754900c8a2494b14b0bcede02da92dcbf9b72abfbd9ed21e045446dfbb118', 'c260', 'jupyterhub', NULL, '2026-11-30 10:53:15.973344', NULL, '2026-11-30 10:53:16.000338', 'exchange', '["inherit"]');
INSERT INTO public.api_tokens VALUES (5, NULL, 3, 'sha512:1:bfdb81371609ce8d:844edc68d63162b26477f877ef54d369f8ca8509e6fdf003e68b4748cc0d4394e02d9debf105960e0a1f91cbb837416204145974dfb269cba1a5b25a20dd3e5b', '1f93', 'jupyterhub', NULL, '2026-11-30 10:51:41.42024', '2026-11-30 12:51:41.419332', '2026-11-30 10:51:54.77718', 'day of a course', '["inherit"]');
INSERT INTO public.api_tokens VALUES (6, NULL, 5, 'sha512:1:a9f5a349f36846a3:4d870b43d817cac5da0eb53d61966f25b991d47564ac5f6f2ac16aec6207b97662a52e6929dd6046d87677ee2347675e3e650fffaad85bba44de14f394936671', '8e0e', 'jupyterhub', NULL, '2026-11-30 10:51:57.076311', '2026-11-30 12:51:57.075408', '2026-11-30 10:52:08.391221', 'day of a course', '["inherit"]');
INSERT INTO public.api_tokens VALUES (3, NULL, 7, 'sha512:1:33eb3c6b34c40911:2004efed6c7e5c4b760506716246d79444db9184bc8fe6cf3e7ee2a4cde0726ae355fb50e2cbdc7d37ce0d98780e4f2687d9e02266824309d4b016a610b9f0ca', 'a573', 'jupyterhub', NULL, '2026-11-30 10:52:09.988175', '2026-11-30 12:52:09.987275', '2026-11-30 10:52:22.899175', 'day of a course', '["inherit"]');
INSERT INTO public.api_tokens VALUES (3, NULL, 12, 'sha512:1:208f66a3fd23c72c:1cf3015cfe5a402105be1cefd92f570452454bdc892d7fe712a0d560667307ee5b3219dfbe0b7ff8e6812c947fe1bde463ec988b6335981687476d39a4670820', '887c', 'jupyterhub', NULL, '2026-11-30 10:53:16.095864', NULL, '2026-11-30 10:53:16.118861', 'exchange', '["inherit"]');
INSERT INTO public.api_tokens VALUES (4, NULL, 9, 'sha512:1:6a9fe7d3a17c7da7:504e325f577779e5e429e407c421d6deab283737ae444beb3fe2d9f81c1351b6b1f8a1aa5ac7ea4903e3d43824531868c1b1d2bf8784781e6ed47a89b4ed31e3', '4443', 'jupyterhub', NULL, '2026-11-30 10:52:24.64178', '2026-11-30 12:52:24.640911', '2026-11-30 10:52:37.799191', 'day of a course', '["inherit"]');
INSERT INTO public.api_tokens VALUES (6, NULL, 10, 'sha512:1:82fa08d99e7a41d9:bd6a930fcb2bec470f55de2785a659dd630d0dc15eefdc02c91204a66860a7de4c62bb4960dde44e4516dfa275b54054cab6b4602ff650ab30a56b1fad623397', '1a1c', 'jupyterhub', NULL, '2026-11-30 10:53:15.858717', NULL, '2026-11-30 10:53:15.887107', 'exchange', '["inherit"]');
INSERT INTO public.api_tokens VALUES (3, NULL, 13, 'sha512:1:7b55b23b311ea3ef:0cb1ff96ee128e58f811f5832eb245ef0b15c0b72debef4fc78501f6db3c52e7dd6308d83439245abde7bcc021401498458ef67e286947447a7a80cd0d183670', '35d1', 'jupyterhub', NULL, '2026-11-30 10:53:16.216109', NULL, '2026-11-30 10:53:16.22801', 'exchange', '["inherit"]');
INSERT INTO public.api_tokens VALUES (4, NULL, 14, 'sha512:1:b35b1804d1b4fd14:1ecb9dff46ac7278caa0f3a89b99112c886fdb8978549f4902e058f08cdac9c4d7c3e6e01837500064035873bebace6fa8afb7af1e41f859d6a2a301e758e709', '768b', 'jupyterhub', NULL, '2026-11-30 10:53:16.306579', NULL, '2026-11-30 10:53:16.363411', 'exchange', '["inherit"]');
INSERT INTO public.api_tokens VALUES (4, NULL, 15, 'sha512:1:437737880d719986:1132cb7ef7effd3d012b9d59c9d5e8637f0f83a4a9686ba0cfb89dc1d33744b1b6e4d31d51538f9c953c3f4d00a93f89da4fa2c4e3239dc15836334d97a73b18', '30d2', 'jupyterhub', NULL, '2026-11-30 10:53:16.439138', NULL, '2026-11-30 10:53:16.48048', 'exchange', '["inherit"]');
INSERT INTO public.api_tokens VALUES (5, NULL, 16, 'sha512:1:0d8b384485ea857e:b25c840d5805137854f84c8a9f17e42eec27d68751a74976ba0ced781406e29b98487a526f600553fa687d4577663b7a16dbd2e8e5840f62653aa9f0dc1c3390', '72d3', 'jupyterhub', NULL, '2026-11-30 10:53:16.566858', NULL, '2026-11-30 10:53:16.615384', 'exchange', '["inherit"]');
INSERT INTO public.api_tokens VALUES (5, NULL, 17, 'sha512:1:cbd418879bd0b0ba:c334e75f348b2675be0667607d337d807a2d895a2b9812c5b4ef4c102185437172f8faf90774c6a9a582948617cb1cfc003627433d6b631bfd56095adf42a6be', 'cbd3', 'jupyterhub', NULL, '2026-11-30 10:53:16.708019', NULL, '2026-11-30 10:53:16.743128', 'exchange', '["inherit"]');
INSERT INTO public.api_tokens VALUES (5, NULL, 18, 'sha512:1:88a7447521ceaf30:fd9e60ddd6e0cc548b99a7f42ce110df806876fba574b972e8d8ec5f1069c4d07edc7954be1e458c95a135d05c06d2fc24154bc884969e228af2103071275449', '9172', 'jupyterhub', NULL, '2026-11-30 10:53:16.818667', NULL, '2026-11-30 10:53:16.847328', 'exchange', '["inherit"]');
INSERT INTO public.api_tokens VALUES (5, NULL, 19, 'sha512:1:d78533784e87a7b0:ba238c2549e828c0705303202a7e6a72c0d83e3a69f3d9a5837e609e4dc194de36e58351b12bad80533d633c65f66b08d31a6cb8169aa5e86ff5a41205b6927a', '6723', 'jupyterhub', NULL, '2026-11-30 10:53:16.934772', NULL, '2026-11-30 10:53:16.971191', 'exchange', '["inherit"]');
INSERT INTO public.api_tokens VALUES (5, NULL, 20, 'sha512:1:db15f8f0f49465fc:87c173bd2a124c666999a5376d02e9b657e8d512c8f3d5026f4859b301fc1cd66b0941fee3d84163fb5cf1310e9a5d9a57095ad406e6b883a61ac0937b862741', '4f6c', 'jupyterhub', NULL, '2026-11-30 10:53:17.041853', NULL, '2026-11-30 10:53:17.110074', 'exchange', '["inherit"]');
INSERT INTO public.api_tokens VALUES (5, NULL, 21, 'sha512:1:0178f59e8e58c2a2:b613e062b4c8f52210192a4dbdb8f52b66337e3541c0682a218ec9b4ef9412a5d9b48e5a3d129fb1a3c80e4853457f73335249ada9e38a7154ca2e5f6b0d76be', '45f6', 'jupyterhub', NULL, '2026-11-30 10:53:17.208742', NULL, '2026-11-30 10:53:17.227169', 'exchange', '["inherit"]');
INSERT INTO public.api_tokens VALUES (6, NULL, 22, 'sha512:1:e43e64c8fda8d248:d327b1489d22efe61cd9adb3c11186834bc5cbe0c3a0e85f98dd4abd1f7e5fee5372b2ce9fc706098f18888775f295175ae96066e0ac46515324680e8bc4ac5c', 'b5ac', 'jupyterhub', NULL, '2026-11-30 10:53:20.207983', NULL, NULL, 'of a script of alice''s', '["inherit"]');
INSERT INTO public.group_role_map VALUES (2, 5, false);
INSERT INTO public.group_role_map VALUES (1, 5, false);
INSERT INTO public.group_role_map VALUES (2, 6, false);
INSERT INTO public.groups VALUES (1, 'nbgrader-interp', '{}');
INSERT INTO public.groups VALUES (2, 'formgrade-interp', '{}');
INSERT INTO public.oauth_clients VALUES (1, 'jupyterhub', 'JupyterHub', '', '', '[]');
INSERT INTO public.oauth_clients VALUES (2, 'service-exchange', 'JupyterHub service exchange', 'sha512:16384:07f8b55893878dc9:301efd1e19070951fcd490b3fb1cfc69e5ef7dc4ba832e72410a27f29056976c174e69eab253e8a0453fca0291539d5e2709ede92a0f6d61386e70279e899936', '/services/exchange/oauth_callback', '["access:services!service=exchange"]');
INSERT INTO public.password_links VALUES ('dana@example.org', 'd7b2ab85658649b325e83aeb2e08118c5c9f3f4af00c362500f9cff9c1e006e5', '2026-12-14 10:48:52.551593', 'the command line');
INSERT INTO public.password_links VALUES ('erik', '93a46e5bf82206538eccad718484e961456b310e9a3c45f97d0074fcc562151c', '2026-12-14 10:48:52.555022', 'the command line');
INSERT INTO public.roles VALUES (1, 'user', 'Standard user privileges', '["self"]', false);
INSERT INTO public.roles VALUES (2, 'admin', 'Elevated privileges (can do anything)', '["admin-ui", "admin:users", "admin:servers", "admin:services", "tokens", "admin:groups", "list:services", "read:services", "read:hub", "proxy", "shutdown", "access:services", "access:servers", "read:roles", "read:metrics", "shares"]', false);
INSERT INTO public.roles VALUES (3, 'token', 'Token with same permissions as its owner', '["inherit"]', false);
INSERT INTO public.roles VALUES (4, 'server', 'Post activity only', '["users:activity!user", "access:servers!server", "access:services!service=exchange"]', false);
INSERT INTO public.roles VALUES (5, 'member-interp', 'Fetch from and hand in to the exchange', '["access:services!service=exchange"]', false);
INSERT INTO public.roles VALUES (6, 'instructor-interp', 'Start and open the course''s formgrader', '["servers!user=grader-interp", "access:servers!user=grader-interp", "read:users:name!user=grader-interp", "read:servers!user=grader-interp"]', false);
INSERT INTO public.roles VALUES (7, 'grader-interp', 'The course''s formgrader keeps its own course''s student list', '["list:groups!group=nbgrader-interp", "groups!group=nbgrader-interp", "read:users:name", "read:users:groups"]', false);
INSERT INTO public.services VALUES (1, 'exchange', false, 'http://127.0.0.1:20261', NULL, NULL, false, NULL, '["/opt/logitlab/bin/python", "-m", "hub.exchange", "--store=/srv/course/server/exchange", "--course=interp", "--due=interp/kernel=2026-11-29T03:47:00Z", "--submission-mib=50", "--file-mib=25", "--files=500", "--quota-mib=300", "--database=postgresql+psycopg://logitlab@/test3?host=/run/postgresql"]', NULL, NULL, NULL, 30, true, NULL, NULL, 'service-exchange');
INSERT INTO public.spawners VALUES (1, 1, NULL, NULL, '', '', NULL, NULL, NULL, NULL);
INSERT INTO public.spawners VALUES (2, 5, NULL, NULL, '', '', NULL, NULL, NULL, NULL);
INSERT INTO public.spawners VALUES (6, 7, NULL, '{}', '', '', NULL, '2026-11-30 10:53:25.894429', NULL, NULL);
INSERT INTO public.spawners VALUES (4, 3, NULL, '{}', '', '', NULL, '2026-11-30 10:53:27.009504', NULL, NULL);
INSERT INTO public.spawners VALUES (5, 4, NULL, '{}', '', '', NULL, '2026-11-30 10:53:28.110864', NULL, NULL);
INSERT INTO public.spawners VALUES (3, 6, NULL, '{}', '', '', NULL, '2026-11-30 10:53:28.400421', NULL, NULL);
INSERT INTO public.user_group_map VALUES (6, 1);
INSERT INTO public.user_group_map VALUES (3, 1);
INSERT INTO public.user_group_map VALUES (4, 1);
INSERT INTO public.user_group_map VALUES (2, 1);
INSERT INTO public.user_group_map VALUES (5, 2);
INSERT INTO public.user_group_map VALUES (7, 2);
INSERT INTO public.user_role_map VALUES (1, 2, false);
INSERT INTO public.user_role_map VALUES (1, 1, false);
INSERT INTO public.user_role_map VALUES (7, 1, false);
INSERT INTO public.user_role_map VALUES (7, 7, false);
INSERT INTO public.user_role_map VALUES (2, 1, false);
INSERT INTO public.user_role_map VALUES (3, 1, false);
INSERT INTO public.user_role_map VALUES (4, 1, false);
INSERT INTO public.user_role_map VALUES (5, 1, false);
INSERT INTO public.user_role_map VALUES (6, 1, false);
INSERT INTO public.users VALUES (2, 'dana@example.org', NULL, false, '2026-11-30 10:51:17.932795', NULL, '2bb31a29b1844a26820dad7d3dca9c34', NULL, NULL);
INSERT INTO public.users VALUES (1, 'root', NULL, true, '2026-11-30 10:51:17.876874', '2026-11-30 10:53:15.555262', 'cf96260909954db9a81852f07da77589', NULL, NULL);
INSERT INTO public.users VALUES (5, 'prof', NULL, false, '2026-11-30 10:51:17.948892', '2026-11-30 10:53:15.605557', '34f647e3e9e740b88771ebae48140255', NULL, NULL);
INSERT INTO public.users VALUES (7, 'grader-interp', NULL, false, '2026-11-30 10:51:18.084308', '2026-11-30 10:53:25.894429', '188fc9b659b64cae8b3500e180771c86', '{}', NULL);
INSERT INTO public.users VALUES (3, 'bob', NULL, false, '2026-11-30 10:51:17.934463', '2026-11-30 10:53:27.009504', 'b54c0dcb3c0244a0920ea0a8b360f1c9', '{}', NULL);
INSERT INTO public.users VALUES (4, 'carol', NULL, false, '2026-11-30 10:51:17.947501', '2026-11-30 10:53:28.110864', '0639726855d74907bc3fdcfd9fad8a7e', '{}', NULL);
INSERT INTO public.users VALUES (6, 'alice', NULL, false, '2026-11-30 10:51:17.950198', '2026-11-30 10:53:28.400421', '20abb373e2fc4491b36a7b05c9ff36fe', '{}', NULL);
INSERT INTO public.users_info VALUES (1, 'root', '\x2432622431322470375267384a325368366d385166324663364c6e6c65367657346d4c4f4f3075646c47634455634f4b6733674a66465658584e6679', true, false, NULL, false, '2CVSYXFBTXQZXA47');
INSERT INTO public.users_info VALUES (2, 'prof', '\x2432622431322471397642316852305972725167504e3853645331727546512f776263634732416b34556768546e3971745072656f4e6c4f6836356d', true, false, NULL, false, 'WSMWOBIEP62PHWHE');
INSERT INTO public.users_info VALUES (3, 'alice', '\x243262243132245a73416370356e347437685243423036626b2e70462e4736756e466e396f482e6c2f306170706e75634653704e6156533343514b57', true, false, NULL, false, 'XY62HDL4CORUUJOO');
INSERT INTO public.users_info VALUES (4, 'bob', '\x24326224313224313378706e5538634f324f66694f777979544b7a414f74673645624b68784f6f5a773971547a6642534d486551626f4f6c72515679', true, false, NULL, false, '2WWMOEKHGFHV6ULU');
INSERT INTO public.users_info VALUES (5, 'carol', '\x24326224313224415332567555326b7362346f5643715635576a6e472e4136686d7062763636536e2f587077777a594a302f367059796c425662592e', true, false, NULL, false, 'DRVXTK4LWRVLPIUP');
SELECT pg_catalog.setval('public.api_tokens_id_seq', 22, true);
SELECT pg_catalog.setval('public.groups_id_seq', 2, true);
SELECT pg_catalog.setval('public.oauth_clients_id_seq', 6, true);
SELECT pg_catalog.setval('public.oauth_codes_id_seq', 1, false);
SELECT pg_catalog.setval('public.roles_id_seq', 7, true);
SELECT pg_catalog.setval('public.servers_id_seq', 5, true);
SELECT pg_catalog.setval('public.services_id_seq', 1, true);
SELECT pg_catalog.setval('public.share_codes_id_seq', 1, false);
SELECT pg_catalog.setval('public.shares_id_seq', 1, false);
SELECT pg_catalog.setval('public.spawners_id_seq', 6, true);
SELECT pg_catalog.setval('public.users_id_seq', 7, true);
SELECT pg_catalog.setval('public.users_info_id_seq', 5, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.api_tokens
    ADD CONSTRAINT pk_api_tokens PRIMARY KEY (id);
ALTER TABLE ONLY public.group_role_map
    ADD CONSTRAINT pk_group_role_map PRIMARY KEY (group_id, role_id);
ALTER TABLE ONLY public.groups
    ADD CONSTRAINT pk_groups PRIMARY KEY (id);
ALTER TABLE ONLY public.oauth_clients
    ADD CONSTRAINT pk_oauth_clients PRIMARY KEY (id);
ALTER TABLE ONLY public.oauth_codes
    ADD CONSTRAINT pk_oauth_codes PRIMARY KEY (id);
ALTER TABLE ONLY public.password_links
    ADD CONSTRAINT pk_password_links PRIMARY KEY (name);
ALTER TABLE ONLY public.roles
    ADD CONSTRAINT pk_roles PRIMARY KEY (id);
ALTER TABLE ONLY public.servers
    ADD CONSTRAINT pk_servers PRIMARY KEY (id);
ALTER TABLE ONLY public.service_role_map
    ADD CONSTRAINT pk_service_role_map PRIMARY KEY (service_id, role_id);
ALTER TABLE ONLY public.services
    ADD CONSTRAINT pk_services PRIMARY KEY (id);
ALTER TABLE ONLY public.share_codes
    ADD CONSTRAINT pk_share_codes PRIMARY KEY (id);
ALTER TABLE ONLY public.shares
    ADD CONSTRAINT pk_shares PRIMARY KEY (id);
ALTER TABLE ONLY public.spawners
    ADD CONSTRAINT pk_spawners PRIMARY KEY (id);
ALTER TABLE ONLY public.user_group_map
    ADD CONSTRAINT pk_user_group_map PRIMARY KEY (user_id, group_id);
ALTER TABLE ONLY public.user_role_map
    ADD CONSTRAINT pk_user_role_map PRIMARY KEY (user_id, role_id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT pk_users PRIMARY KEY (id);
ALTER TABLE ONLY public.users_info
    ADD CONSTRAINT pk_users_info PRIMARY KEY (id);
ALTER TABLE ONLY public.api_tokens
    ADD CONSTRAINT uq_api_tokens_hashed UNIQUE (hashed);
ALTER TABLE ONLY public.groups
    ADD CONSTRAINT uq_groups_name UNIQUE (name);
ALTER TABLE ONLY public.oauth_clients
    ADD CONSTRAINT uq_oauth_clients_identifier UNIQUE (identifier);
ALTER TABLE ONLY public.password_links
    ADD CONSTRAINT uq_password_links_hashed UNIQUE (hashed);
ALTER TABLE ONLY public.roles
    ADD CONSTRAINT uq_roles_name UNIQUE (name);
ALTER TABLE ONLY public.services
    ADD CONSTRAINT uq_services_name UNIQUE (name);
ALTER TABLE ONLY public.share_codes
    ADD CONSTRAINT uq_share_codes_hashed UNIQUE (hashed);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT uq_users_cookie_id UNIQUE (cookie_id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT uq_users_name UNIQUE (name);
CREATE INDEX ix_api_tokens_prefix ON public.api_tokens USING btree (prefix);
CREATE INDEX ix_share_codes_prefix ON public.share_codes USING btree (prefix);
ALTER TABLE ONLY public.api_tokens
    ADD CONSTRAINT fk_api_tokens_client_id_oauth_clients FOREIGN KEY (client_id) REFERENCES public.oauth_clients(identifier) ON DELETE CASCADE;
ALTER TABLE ONLY public.api_tokens
    ADD CONSTRAINT fk_api_tokens_service_id_services FOREIGN KEY (service_id) REFERENCES public.services(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.api_tokens
    ADD CONSTRAINT fk_api_tokens_user_id_users FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.group_role_map
    ADD CONSTRAINT fk_group_role_map_group_id_groups FOREIGN KEY (group_id) REFERENCES public.groups(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.group_role_map
    ADD CONSTRAINT fk_group_role_map_role_id_roles FOREIGN KEY (role_id) REFERENCES public.roles(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.oauth_codes
    ADD CONSTRAINT fk_oauth_codes_client_id_oauth_clients FOREIGN KEY (client_id) REFERENCES public.oauth_clients(identifier) ON DELETE CASCADE;
ALTER TABLE ONLY public.oauth_codes
    ADD CONSTRAINT fk_oauth_codes_user_id_users FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.service_role_map
    ADD CONSTRAINT fk_service_role_map_role_id_roles FOREIGN KEY (role_id) REFERENCES public.roles(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.service_role_map
    ADD CONSTRAINT fk_service_role_map_service_id_services FOREIGN KEY (service_id) REFERENCES public.services(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.services
    ADD CONSTRAINT fk_services__server_id_servers FOREIGN KEY (_server_id) REFERENCES public.servers(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.services
    ADD CONSTRAINT fk_services_oauth_client_id_oauth_clients FOREIGN KEY (oauth_client_id) REFERENCES public.oauth_clients(identifier) ON DELETE SET NULL;
ALTER TABLE ONLY public.share_codes
    ADD CONSTRAINT fk_share_codes_owner_id_users FOREIGN KEY (owner_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.share_codes
    ADD CONSTRAINT fk_share_codes_spawner_id_spawners FOREIGN KEY (spawner_id) REFERENCES public.spawners(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.shares
    ADD CONSTRAINT fk_shares_group_id_groups FOREIGN KEY (group_id) REFERENCES public.groups(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.shares
    ADD CONSTRAINT fk_shares_owner_id_users FOREIGN KEY (owner_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.shares
    ADD CONSTRAINT fk_shares_spawner_id_spawners FOREIGN KEY (spawner_id) REFERENCES public.spawners(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.shares
    ADD CONSTRAINT fk_shares_user_id_users FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.spawners
    ADD CONSTRAINT fk_spawners_oauth_client_id_oauth_clients FOREIGN KEY (oauth_client_id) REFERENCES public.oauth_clients(identifier) ON DELETE SET NULL;
ALTER TABLE ONLY public.spawners
    ADD CONSTRAINT fk_spawners_server_id_servers FOREIGN KEY (server_id) REFERENCES public.servers(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.spawners
    ADD CONSTRAINT fk_spawners_user_id_users FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.user_group_map
    ADD CONSTRAINT fk_user_group_map_group_id_groups FOREIGN KEY (group_id) REFERENCES public.groups(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.user_group_map
    ADD CONSTRAINT fk_user_group_map_user_id_users FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.user_role_map
    ADD CONSTRAINT fk_user_role_map_role_id_roles FOREIGN KEY (role_id) REFERENCES public.roles(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.user_role_map
    ADD CONSTRAINT fk_user_role_map_user_id_users FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
