BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('f460b0348206');
CREATE TABLE api_tokens (
	user_id INTEGER, 
	service_id INTEGER, 
	id INTEGER NOT NULL, 
	hashed VARCHAR(255), 
	prefix VARCHAR(16), 
	client_id VARCHAR(255), 
	session_id VARCHAR(255), 
	created DATETIME, 
	expires_at DATETIME, 
	last_activity DATETIME, 
	note VARCHAR(1023), 
	scopes TEXT, 
	CONSTRAINT pk_api_tokens PRIMARY KEY (id), 
	CONSTRAINT fk_api_tokens_user_id_users FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT fk_api_tokens_service_id_services FOREIGN KEY(service_id) REFERENCES services (id) ON DELETE CASCADE, 
	CONSTRAINT uq_api_tokens_hashed UNIQUE (hashed), 
	CONSTRAINT fk_api_tokens_client_id_oauth_clients FOREIGN KEY(client_id) REFERENCES oauth_clients (identifier) ON DELETE CASCADE
);
INSERT INTO "api_tokens" VALUES(NULL,1,1,'sha512:1:b5a07a6f6aa5dfe1:739f7aafb28292e379a299646f52163d4e3da5c3b10825547430923f24df91d0757968c2f6b20587bd02f6937c13fa07e4f28553e1937a2665a88cf5ca070667','ac7d','jupyterhub',NULL,'2026-11-30 10:43:42.906101',NULL,NULL,'generated at startup','["inherit"]');
INSERT INTO "api_tokens" VALUES(3,NULL,3,'sha512:1:ec12bcd3beb063ac:f1065b869f6a7118df7050ae1c1057d0cbdfe7f3105296f99669a946d21177f77ec88c0d3c0a86c879b715dd4b26e8744d65d4f47dc911e906d6441ce1ac7969','234b','jupyterhub',NULL,'2026-11-30 10:44:20.234684','2026-11-30 12:44:20.213185','2026-11-30 10:44:54.240097','day of a course','["inherit"]');
INSERT INTO "api_tokens" VALUES(4,NULL,5,'sha512:1:0483a089199b4a8a:774b0a078704633e61e8eb5a486ffa64c531fb310ed77819704dfd946175b0e4665de0ff0ad86f8d1f3ae48e04837eed959e7902f3a6c97965e9638924261819','5698','jupyterhub',NULL,'2026-11-30 10:44:56.766599','2026-11-30 12:44:56.765673','2026-11-30 10:45:18.579539','day of a course','["inherit"]');
INSERT INTO "api_tokens" VALUES(5,NULL,7,'sha512:1:581214e11e420a4c:10100c5cf6fa98c01f607c33d2f954b582cfaf458ae45bdb8a63ffbce972caf0f9586669552ff752950691078601eba776f3f321d1ccf12f8eb7ba82ede009bf','99eb','jupyterhub',NULL,'2026-11-30 10:45:20.718799','2026-11-30 12:45:20.713829','2026-11-30 10:45:38.042316','day of a course','["inherit"]');
INSERT INTO "api_tokens" VALUES(6,NULL,9,'sha512:1:db619b9be53b0aa8:62252a938cd270fb4c04ccab09f9e4df5bc1bd82687d3bc05cb4229052977a399932a64ebadfa6359ace7e488ebf0b9c803732fdb3f1adb18df8eb3e5db1b348','4f26','jupyterhub',NULL,'2026-11-30 10:45:39.809558','2026-11-30 12:45:39.804819','2026-11-30 10:46:00.216094','day of a course','["inherit"]');
INSERT INTO "api_tokens" VALUES(4,NULL,10,'sha512:1:c56e2ff0254b4f78:43a610fb15a43580d8fd116d9b726969b11fc7c2dc38c82f0839306ce27fa1d2c7636894d8e3ae631fb09b5e99d04afb2788b0c0c1c0e9dade9cafa982ba2ad7','3952','jupyterhub',NULL,'2026-11-30 10:46:44.491811',NULL,'2026-11-30 10:46:44.556663','exchange','["inherit"]');
INSERT INTO "api_tokens" VALUES(4,NULL,11,'sha512:1:bbcee41ab69d72e1:3e58338ba9bffeb1d3f1f1da67bf7596aa16a11584625a594f14b2527616e44cf0576b44ad10ff90b23bb07f17a8e89d6a295d081c361c6db154d974f4129431','a16b','jupyterhub',NULL,'2026-11-30 10:46:44.623212',NULL,'2026-11-30 10:46:44.680470','exchange','["inherit"]');
INSERT INTO "api_tokens" VALUES(5,NULL,12,'sha512:1:eeb36fe315eb6e24:c5705d17facfe1d7361eebdaba1a46cece751f60066a26af585ecc57a9199e305d6c72efd2b248936955a1137d8ccb3a1912a871584451d7b85452722bc899db','c007','jupyterhub',NULL,'2026-11-30 10:46:44.798989',NULL,'2026-11-30 10:46:44.880110','exchange','["inherit"]');
INSERT INTO "api_tokens" VALUES(5,NULL,13,'sha512:1:c36f4932860654ae:bb784cee30d00f393e7f4df40b41fcc8d18859fbcb0a5cf7ec3cd86b5e7ca1dab141de2c2fd90b1992198efbb21bb703edd0f3cb8b4028c9d3b9bda55959aa33','d7d2','jupyterhub',NULL,'2026-11-30 10:46:45.004424',NULL,'2026-11-30 10:46:45.080377','exchange','["inherit"]');
INSERT INTO "api_tokens" VALUES(6,NULL,14,'sha512:1:0685e801429ef21f:2682b8d032df890a9cdee1a2f95bebacf52057d396d4f41df9b76040b066bdcc27037898455bf42df7d64d8e2ab662bbbcf66908976768a0c9221ef5991b37a0','dbcf','jupyterhub',NULL,'2026-11-30 10:46:45.223226',NULL,'2026-11-30 10:46:45.301427','exchange','["inherit"]');
INSERT INTO "api_tokens" VALUES(6,NULL,15,'sha512:1:64651e7c97e93fef:caa8aa35d946003bdf2c4276733657967b98b8eee28e78a2761d2dccfc2e4f7296ae967abd9cf3b088a7fb3a081fcd0996136bd6aa7be087d73683f36f9a1dab','83a3','jupyterhub',NULL,'2026-11-30 10:46:45.436899',NULL,'2026-11-30 10:46:45.509996','exchange','["inherit"]');
INSERT INTO "api_tokens" VALUES(3,NULL,16,'sha512:1:0002bae41a9a29b1:2d55777efb3464c9c6911206b5e5646050905a917e4298cc860a240a82da85359d950f3745f36d7d66a5755153edb319a2c45c140b5b46553fb413f169a458b0','e9c6','jupyterhub',NULL,'2026-11-30 10:46:45.616826',NULL,'2026-11-30 10:46:45.675897','exchange','["inherit"]');
INSERT INTO "api_tokens" VALUES(3,NULL,17,'sha512:1:e81e51a90aa545e2:85d3b4146b876005dd86f6f72b9bac401059bcf74bf39fe3fde35a20d33f06f47b202dad03d670a4ee72f908b0d01a4fba44ede7e403147c2c5901c41a802f14','c246','jupyterhub',NULL,'2026-11-30 10:46:45.797416',NULL,'2026-11-30 10:46:45.931447','exchange','["inherit"]');
INSERT INTO "api_tokens" VALUES(3,NULL,18,'sha512:1:1cffe24dd5bb8395:542503b7b8099b7f742340732b02aaa5d47999236f7aaffe3e47fcd848da306da6fab8dcef64f90d49f339e12b23bb545e74ab56ee365a995b17bd38f73efa26','703f','jupyterhub',NULL,'2026-11-30 10:46:45.979003',NULL,'2026-11-30 10:46:46.007095','exchange','["inherit"]');
INSERT INTO "api_tokens" VALUES(3,NULL,19,'sha512:1:3b7e2cd8d95e7885:95d8cb3140af9c27e1d901bb3597bbe12bf67c8471e1160a42abd3318414c5d63467fb48afbe568d62fd23b5b2528dc830f6ca918bd5e94daa9796b576ba475a','cfcc','jupyterhub',NULL,'2026-11-30 10:46:46.128108',NULL,'2026-11-30 10:46:46.180403','exchange','["inherit"]');
INSERT INTO "api_tokens" VALUES(3,NULL,20,'sha512:1:f03f541fe3c0c9ba:ad008277ff9f1ca7c9eb003de22994f1dd0f81e09891c4ce62de61477e5dc151ce8b099fd9f00a32cdf2597b9d148968edd66557cde0dbf45361386bac779bf8','6229','jupyterhub',NULL,'2026-11-30 10:46:46.269950',NULL,'2026-11-30 10:46:46.325189','exchange','["inherit"]');
INSERT INTO "api_tokens" VALUES(3,NULL,21,'sha512:1:8c2505b733b90de0:0502d8c1be48b3a0f36494d7e618a42ef217eb125f9343d51072397d09a6a5ed71863fd9b9a0fa2513a90c40dfdc0651afbb3dd90a5e972cfa739db8851fed5d','c02e','jupyterhub',NULL,'2026-11-30 10:46:46.435190',NULL,'2026-11-30 10:46:46.478423','exchange','["inherit"]');
INSERT INTO "api_tokens" VALUES(4,NULL,22,'sha512:1:db7cefda56d81b60:28acae6a0a198ac8f6e05827a1e2bc4d82de7a7ea3fb9bd60e179e5b2d920113934672be3b5bee8b54f370cb8defc61d2ab13382c7a18674fd98317d8ce05c0f','b339','jupyterhub',NULL,'2026-11-30 10:46:48.438961',NULL,NULL,'of a script of alice''s','["inherit"]');
CREATE TABLE group_role_map (
	group_id INTEGER NOT NULL, 
	role_id INTEGER NOT NULL, 
	managed_by_auth BOOLEAN NOT NULL, 
	CONSTRAINT pk_group_role_map PRIMARY KEY (group_id, role_id), 
	CONSTRAINT fk_group_role_map_group_id_groups FOREIGN KEY(group_id) REFERENCES groups (id) ON DELETE CASCADE, 
	CONSTRAINT fk_group_role_map_role_id_roles FOREIGN KEY(role_id) REFERENCES roles (id) ON DELETE CASCADE
);
INSERT INTO "group_role_map" VALUES(1,5,0);
INSERT INTO "group_role_map" VALUES(2,5,0);
INSERT INTO "group_role_map" VALUES(2,6,0);
CREATE TABLE groups (
	id INTEGER NOT NULL, 
	name VARCHAR(255), 
	properties TEXT, 
	CONSTRAINT pk_groups PRIMARY KEY (id), 
	CONSTRAINT uq_groups_name UNIQUE (name)
);
INSERT INTO "groups" VALUES(1,'nbgrader-interp','{}');
INSERT INTO "groups" VALUES(2,'formgrade-interp','{}');
CREATE TABLE oauth_clients (
	id INTEGER NOT NULL, 
	identifier VARCHAR(255), 
	description VARCHAR(1023), 
	secret VARCHAR(255), 
	redirect_uri VARCHAR(1023), 
	allowed_scopes TEXT, 
	CONSTRAINT pk_oauth_clients PRIMARY KEY (id), 
	CONSTRAINT uq_oauth_clients_identifier UNIQUE (identifier)
);
INSERT INTO "oauth_clients" VALUES(1,'jupyterhub','JupyterHub','','','[]');
INSERT INTO "oauth_clients" VALUES(2,'service-exchange','JupyterHub service exchange','sha512:16384:c8d8799e4104cddd:c2cb62778fc38925bf073281bc433040e4a704902a582d114ae8fea1e1bfd3a8f86ad4c496c84ac602b2fd7d0f5e02766455fd58ca2d7d4c7dec201107892f01','/services/exchange/oauth_callback','["access:services!service=exchange"]');
CREATE TABLE oauth_codes (
	id INTEGER NOT NULL, 
	client_id VARCHAR(255), 
	code VARCHAR(36), 
	expires_at INTEGER, 
	redirect_uri VARCHAR(1023), 
	session_id VARCHAR(255), 
	user_id INTEGER, 
	scopes TEXT, 
	code_challenge VARCHAR(255), 
	code_challenge_method VARCHAR(64), 
	CONSTRAINT pk_oauth_codes PRIMARY KEY (id), 
	CONSTRAINT fk_oauth_codes_client_id_oauth_clients FOREIGN KEY(client_id) REFERENCES oauth_clients (identifier) ON DELETE CASCADE, 
	CONSTRAINT fk_oauth_codes_user_id_users FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE TABLE password_links (
	name VARCHAR(255) NOT NULL, 
	hashed VARCHAR(64) NOT NULL, 
	expires DATETIME NOT NULL, 
	issued_by VARCHAR(255) NOT NULL, 
	CONSTRAINT pk_password_links PRIMARY KEY (name), 
	CONSTRAINT uq_password_links_hashed UNIQUE (hashed)
);
INSERT INTO "password_links" VALUES('dana@example.org','bfe9d6b5a96e48bd11e7b3597d26f1f14d387639780da6ee450936e4db68216b','2026-12-14 10:41:19.406906','the command line');
INSERT INTO "password_links" VALUES('erik','514cface1605d02eb71eec37e51b74af75961502f5d0d1cefd1b7bb3ff16a238','2026-12-14 10:41:19.454906','the command line');
CREATE TABLE roles (
	id INTEGER NOT NULL, 
	name VARCHAR(255), 
	description VARCHAR(1023), 
	scopes TEXT, 
	managed_by_auth BOOLEAN NOT NULL, 
	CONSTRAINT pk_roles PRIMARY KEY (id), 
	CONSTRAINT uq_roles_name UNIQUE (name)
);
INSERT INTO "roles" VALUES(1,'user','Standard user privileges','["self"]',0);
INSERT INTO "roles" VALUES(2,'admin','Elevated privileges (can do anything)','["admin-ui", "admin:users", "admin:servers", "admin:services", "tokens", "admin:groups", "list:services", "read:services", "read:hub", "proxy", "shutdown", "access:services", "access:servers", "read:roles", "read:metrics", "shares"]',0);
INSERT INTO "roles" VALUES(3,'token','Token with same permissions as its owner','["inherit"]',0);
INSERT INTO "roles" VALUES(4,'server','Post activity only','["users:activity!user", "access:servers!server", "access:services!service=exchange"]',0);
INSERT INTO "roles" VALUES(5,'member-interp','Fetch from and hand in to the exchange','["access:services!service=exchange"]',0);
INSERT INTO "roles" VALUES(6,'instructor-interp','Start and open the course''s formgrader','["servers!user=grader-interp", "access:servers!user=grader-interp", "read:users:name!user=grader-interp", "read:servers!user=grader-interp"]',0);
INSERT INTO "roles" VALUES(7,'grader-interp','The course''s formgrader keeps its own course''s student list','["list:groups!group=nbgrader-interp", "groups!group=nbgrader-interp", "read:users:name", "read:users:groups"]',0);
CREATE TABLE servers (
	id INTEGER NOT NULL, 
	proto VARCHAR(15), 
	ip VARCHAR(255), 
	port INTEGER, 
	base_url VARCHAR(255), 
	cookie_name VARCHAR(255), 
	CONSTRAINT pk_servers PRIMARY KEY (id)
);
CREATE TABLE service_role_map (
	service_id INTEGER NOT NULL, 
	role_id INTEGER NOT NULL, 
	managed_by_auth BOOLEAN NOT NULL, 
	CONSTRAINT pk_service_role_map PRIMARY KEY (service_id, role_id), 
	CONSTRAINT fk_service_role_map_service_id_services FOREIGN KEY(service_id) REFERENCES services (id) ON DELETE CASCADE, 
	CONSTRAINT fk_service_role_map_role_id_roles FOREIGN KEY(role_id) REFERENCES roles (id) ON DELETE CASCADE
);
CREATE TABLE services (
	id INTEGER NOT NULL, 
	name VARCHAR(255), 
	admin BOOLEAN, 
	url VARCHAR(2047), 
	oauth_client_allowed_scopes TEXT, 
	info TEXT, 
	display BOOLEAN, 
	oauth_no_confirm BOOLEAN, 
	command TEXT, 
	cwd VARCHAR(4095), 
	environment TEXT, 
	user VARCHAR(255), 
	timeout INTEGER NOT NULL, 
	from_config BOOLEAN, 
	_server_id INTEGER, 
	pid INTEGER, 
	oauth_client_id VARCHAR(255), 
	CONSTRAINT pk_services PRIMARY KEY (id), 
	CONSTRAINT uq_services_name UNIQUE (name), 
	CONSTRAINT fk_services__server_id_servers FOREIGN KEY(_server_id) REFERENCES servers (id) ON DELETE SET NULL, 
	CONSTRAINT fk_services_oauth_client_id_oauth_clients FOREIGN KEY(oauth_client_id) REFERENCES oauth_clients (identifier) ON DELETE SET NULL
);
INSERT INTO "services" VALUES(1,'exchange',0,'http://127.0.0.1:21074',NULL,NULL,0,NULL,'["/opt/logitlab/bin/python", "-m", "hub.exchange", "--store=/srv/course/server/exchange", "--course=interp", "--due=interp/kernel=2026-11-29T03:40:00Z", "--submission-mib=50", "--file-mib=25", "--files=500", "--quota-mib=300"]',NULL,NULL,NULL,30,1,NULL,NULL,'service-exchange');
CREATE TABLE share_codes (
	hashed VARCHAR(255), 
	prefix VARCHAR(16), 
	exchange_count INTEGER, 
	last_exchanged_at DATETIME, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	scopes TEXT, 
	expires_at DATETIME, 
	owner_id INTEGER, 
	spawner_id INTEGER, 
	CONSTRAINT pk_share_codes PRIMARY KEY (id), 
	CONSTRAINT uq_share_codes_hashed UNIQUE (hashed), 
	CONSTRAINT fk_share_codes_owner_id_users FOREIGN KEY(owner_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT fk_share_codes_spawner_id_spawners FOREIGN KEY(spawner_id) REFERENCES spawners (id) ON DELETE CASCADE
);
CREATE TABLE shares (
	user_id INTEGER, 
	group_id INTEGER, 
	id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	scopes TEXT, 
	expires_at DATETIME, 
	owner_id INTEGER, 
	spawner_id INTEGER, 
	CONSTRAINT pk_shares PRIMARY KEY (id), 
	CONSTRAINT fk_shares_user_id_users FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT fk_shares_group_id_groups FOREIGN KEY(group_id) REFERENCES groups (id) ON DELETE CASCADE, 
	CONSTRAINT fk_shares_owner_id_users FOREIGN KEY(owner_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT fk_shares_spawner_id_spawners FOREIGN KEY(spawner_id) REFERENCES spawners (id) ON DELETE CASCADE
);
CREATE TABLE spawners (
	id INTEGER NOT NULL, 
	user_id INTEGER, 
	server_id INTEGER, 
	state TEXT, 
	name VARCHAR(255), 
	display_name VARCHAR(255), 
	started DATETIME, 
	last_activity DATETIME, 
	user_options TEXT, 
	oauth_client_id VARCHAR(255), 
	CONSTRAINT pk_spawners PRIMARY KEY (id), 
	CONSTRAINT fk_spawners_user_id_users FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT fk_spawners_server_id_servers FOREIGN KEY(server_id) REFERENCES servers (id) ON DELETE SET NULL, 
	CONSTRAINT fk_spawners_oauth_client_id_oauth_clients FOREIGN KEY(oauth_client_id) REFERENCES oauth_clients (identifier) ON DELETE SET NULL
);
INSERT INTO "spawners" VALUES(1,1,NULL,NULL,'','',NULL,NULL,NULL,NULL);
INSERT INTO "spawners" VALUES(2,3,NULL,NULL,'','',NULL,NULL,NULL,NULL);
INSERT INTO "spawners" VALUES(3,4,NULL,'{}','','',NULL,'2026-11-30 10:46:56.709497',NULL,NULL);
INSERT INTO "spawners" VALUES(4,5,NULL,'{}','','',NULL,'2026-11-30 10:46:54.897236',NULL,NULL);
INSERT INTO "spawners" VALUES(5,6,NULL,'{}','','',NULL,'2026-11-30 10:46:56.425190',NULL,NULL);
INSERT INTO "spawners" VALUES(6,7,NULL,'{}','','',NULL,'2026-11-30 10:46:57.083025',NULL,NULL);
CREATE TABLE user_group_map (
	user_id INTEGER NOT NULL, 
	group_id INTEGER NOT NULL, 
	CONSTRAINT pk_user_group_map PRIMARY KEY (user_id, group_id), 
	CONSTRAINT fk_user_group_map_user_id_users FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT fk_user_group_map_group_id_groups FOREIGN KEY(group_id) REFERENCES groups (id) ON DELETE CASCADE
);
INSERT INTO "user_group_map" VALUES(4,1);
INSERT INTO "user_group_map" VALUES(5,1);
INSERT INTO "user_group_map" VALUES(6,1);
INSERT INTO "user_group_map" VALUES(2,1);
INSERT INTO "user_group_map" VALUES(3,2);
INSERT INTO "user_group_map" VALUES(7,2);
CREATE TABLE user_role_map (
	user_id INTEGER NOT NULL, 
	role_id INTEGER NOT NULL, 
	managed_by_auth BOOLEAN NOT NULL, 
	CONSTRAINT pk_user_role_map PRIMARY KEY (user_id, role_id), 
	CONSTRAINT fk_user_role_map_user_id_users FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT fk_user_role_map_role_id_roles FOREIGN KEY(role_id) REFERENCES roles (id) ON DELETE CASCADE
);
INSERT INTO "user_role_map" VALUES(1,2,0);
INSERT INTO "user_role_map" VALUES(1,1,0);
INSERT INTO "user_role_map" VALUES(7,1,0);
INSERT INTO "user_role_map" VALUES(7,7,0);
INSERT INTO "user_role_map" VALUES(4,1,0);
INSERT INTO "user_role_map" VALUES(5,1,0);
INSERT INTO "user_role_map" VALUES(6,1,0);
INSERT INTO "user_role_map" VALUES(2,1,0);
INSERT INTO "user_role_map" VALUES(3,1,0);
CREATE TABLE users (
	id INTEGER NOT NULL, 
	name VARCHAR(255), 
	user_info TEXT, 
	admin BOOLEAN, 
	created DATETIME, 
	last_activity DATETIME, 
	cookie_id VARCHAR(255) NOT NULL, 
	state TEXT, 
	encrypted_auth_state BLOB, 
	CONSTRAINT pk_users PRIMARY KEY (id), 
	CONSTRAINT uq_users_name UNIQUE (name), 
	CONSTRAINT uq_users_cookie_id UNIQUE (cookie_id)
);
INSERT INTO "users" VALUES(1,'root',NULL,1,'2026-11-30 10:43:42.426340','2026-11-30 10:46:44.158382','499aaf370a7848c3829f0a9b20ce04c5',NULL,NULL);
INSERT INTO "users" VALUES(2,'dana@example.org',NULL,0,'2026-11-30 10:43:42.568621',NULL,'cee4dd9fb8404fd89eb601b6a0e28209',NULL,NULL);
INSERT INTO "users" VALUES(3,'prof',NULL,0,'2026-11-30 10:43:42.569789','2026-11-30 10:46:44.241789','439e45ebceab4397ba4966b4c25c4aa8',NULL,NULL);
INSERT INTO "users" VALUES(4,'alice',NULL,0,'2026-11-30 10:43:42.570491','2026-11-30 10:46:56.709497','1baf044aa2524a5a85b8dda13c453f0b','{}',NULL);
INSERT INTO "users" VALUES(5,'bob',NULL,0,'2026-11-30 10:43:42.583809','2026-11-30 10:46:54.897236','55ae13b9b58943e09e250a94f73e75da','{}',NULL);
INSERT INTO "users" VALUES(6,'carol',NULL,0,'2026-11-30 10:43:42.584574','2026-11-30 10:46:56.425190','08632a26ca7146679f95a38b5c2c369e','{}',NULL);
INSERT INTO "users" VALUES(7,'grader-interp',NULL,0,'2026-11-30 10:43:42.733799','2026-11-30 10:46:57.083025','4026961779104da296737c07c194a849','{}',NULL);
CREATE TABLE users_info (
	id INTEGER NOT NULL, 
	username VARCHAR(128) NOT NULL, 
	password BLOB NOT NULL, 
	is_authorized BOOLEAN, 
	login_email_sent BOOLEAN, 
	email VARCHAR(128), 
	has_2fa BOOLEAN, 
	otp_secret VARCHAR(16), 
	CONSTRAINT pk_users_info PRIMARY KEY (id)
);
INSERT INTO "users_info" VALUES(1,'root',X'24326224313224584D544647712E4B2F7A71766E5237734D306A67742E2F2F5337666B2F6574492E722E6F4562626C623977666F654F38426D6F6643',1,0,NULL,0,'G5MU7XX5DTX2ICUG');
INSERT INTO "users_info" VALUES(2,'prof',X'243262243132246F6D6C48467069396C76593759636668674B526D3775684C37364D6B7076364C6247414D46557145592F4144422E31714C656B4C71',1,0,NULL,0,'JXP5WY4RB46ANGJE');
INSERT INTO "users_info" VALUES(3,'alice',X'243262243132244144365277474D76316830387A5A30746B2F32766C7545576F594D2E323778493863557030617439513641494978777478344A746D',1,0,NULL,0,'UJOWLD2ZM25GPIHT');
INSERT INTO "users_info" VALUES(4,'bob',X'243262243132242E4E546B7A6D717332304B72526D697258726C517265725472666A4D75776131456B366C747A6273674238505030443631716A2F65',1,0,NULL,0,'NRFO43CA66TGPBHH');
INSERT INTO "users_info" VALUES(5,'carol',X'243262243132246170584A6B6F6E72396D525934394E6E52356D393665322F4E6D55507658446E3269576E754A4A7576784E464E394B654B4C6F5269',1,0,NULL,0,'G373252ZQ7VC6SQQ');
CREATE INDEX ix_share_codes_prefix ON share_codes (prefix);
CREATE INDEX ix_api_tokens_prefix ON api_tokens (prefix);
COMMIT;
