BEGIN TRANSACTION;
CREATE TABLE account (
	name TEXT NOT NULL, 
	full_name TEXT NOT NULL, 
	role TEXT NOT NULL, 
	state TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	entry BIGINT NOT NULL, 
	CONSTRAINT pk_account PRIMARY KEY (name)
);
INSERT INTO "account" VALUES('ada','Ada Lovelace','owner','active','',2,3);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0007');
CREATE TABLE anchor (
	chain VARCHAR(36) NOT NULL, 
	sequence BIGINT NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	at BIGINT NOT NULL, 
	signature VARCHAR(128) NOT NULL, 
	CONSTRAINT pk_anchor PRIMARY KEY (chain, sequence, "key")
);
INSERT INTO "anchor" VALUES('system',3,'8f06e90095c465120a5e2964c4ed268d810d2a05931a7d7ab478a5a809321cc4','81b6da0e90b5bc16f2ed6fe27ca6170cb4ab91ffa92741f14a77dd8feed2d4da',2,'8b39a45c110655f096e3f27d45704a5a3e701076a02099700320481987c9c432f0544bc2bdd669a420242af409ba4e8e0bd59a30f5ca5787ec1f12331706180f');
CREATE TABLE artifact (
	chain VARCHAR(36) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	media_type TEXT NOT NULL, 
	size BIGINT NOT NULL, 
	entry BIGINT NOT NULL, 
	CONSTRAINT pk_artifact PRIMARY KEY (chain, sha256)
);
INSERT INTO "artifact" VALUES('system','9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c','application/x-safetensors',7,2);
INSERT INTO "artifact" VALUES('11111111-2222-4333-8444-555555555555','2cea274d0bedc39ec4ab6ba9e59ec889e3ed6fb56a1cf088a64d9b383378dc97','image/png',7,3);
INSERT INTO "artifact" VALUES('11111111-2222-4333-8444-555555555555','e64c61c81f2f37e1872a2d3d8a1d2a58701533161001d760485902453aa83de9','application/json',14,5);
CREATE TABLE artifact_chunk (
	chain VARCHAR(36) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	number BIGINT NOT NULL, 
	data BLOB NOT NULL, 
	CONSTRAINT pk_artifact_chunk PRIMARY KEY (chain, sha256, number), 
	CONSTRAINT fk_artifact_chunk_chain_sha256 FOREIGN KEY(chain, sha256) REFERENCES artifact (chain, sha256)
);
INSERT INTO "artifact_chunk" VALUES('system','9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c',0,X'77656967687473');
INSERT INTO "artifact_chunk" VALUES('11111111-2222-4333-8444-555555555555','2cea274d0bedc39ec4ab6ba9e59ec889e3ed6fb56a1cf088a64d9b383378dc97',0,X'70696374757265');
INSERT INTO "artifact_chunk" VALUES('11111111-2222-4333-8444-555555555555','e64c61c81f2f37e1872a2d3d8a1d2a58701533161001d760485902453aa83de9',0,X'7B2273636F7265223A20302E357D');
CREATE TABLE attempt (
	campaign VARCHAR(36) NOT NULL, 
	job BIGINT NOT NULL, 
	number BIGINT NOT NULL, 
	batch BIGINT NOT NULL, 
	state TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	reference TEXT NOT NULL, 
	delivery VARCHAR(64), 
	receipt BIGINT, 
	started_at BIGINT NOT NULL, 
	submitted_at BIGINT, 
	delivered_at BIGINT, 
	ended_at BIGINT, 
	entry BIGINT NOT NULL, 
	CONSTRAINT pk_attempt PRIMARY KEY (campaign, job, number), 
	CONSTRAINT fk_attempt_campaign_job FOREIGN KEY(campaign, job) REFERENCES job (campaign, number), 
	CONSTRAINT fk_attempt_campaign FOREIGN KEY(campaign) REFERENCES campaign (id)
);
INSERT INTO "attempt" VALUES('11111111-2222-4333-8444-555555555555',1,1,1,'succeeded','','run 1','e64c61c81f2f37e1872a2d3d8a1d2a58701533161001d760485902453aa83de9',1,5,5,6,6,4);
INSERT INTO "attempt" VALUES('11111111-2222-4333-8444-555555555555',2,1,1,'submitted','','run 2',NULL,NULL,5,5,NULL,NULL,4);
CREATE TABLE batch (
	campaign VARCHAR(36) NOT NULL, 
	number BIGINT NOT NULL, 
	evaluator TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	entry BIGINT NOT NULL, barcode TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_batch PRIMARY KEY (campaign, number), 
	CONSTRAINT fk_batch_campaign FOREIGN KEY(campaign) REFERENCES campaign (id)
);
INSERT INTO "batch" VALUES('11111111-2222-4333-8444-555555555555',1,'bench','11111111-2222-4333-8444-555555555555/batch/1',4,'0123456789AB');
CREATE TABLE campaign (
	id VARCHAR(36) NOT NULL, 
	name TEXT NOT NULL, 
	ordinal BIGINT NOT NULL, 
	state TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	rounds BIGINT NOT NULL, 
	evaluations BIGINT NOT NULL, 
	cost DOUBLE NOT NULL, 
	driver_seconds DOUBLE NOT NULL, 
	best BIGINT, 
	since_best BIGINT NOT NULL, 
	barren_rounds BIGINT NOT NULL, 
	created_at BIGINT NOT NULL, 
	entry BIGINT NOT NULL, 
	CONSTRAINT pk_campaign PRIMARY KEY (id), 
	CONSTRAINT uq_campaign_name_ordinal UNIQUE (name, ordinal)
);
INSERT INTO "campaign" VALUES('11111111-2222-4333-8444-555555555555','small',1,'paused','lunch',1,1,2,2.5,0.0,1,0,0,1,1);
CREATE TABLE campaign_revision (
	campaign VARCHAR(36) NOT NULL, 
	revision BIGINT NOT NULL, 
	written TEXT NOT NULL, 
	resolved TEXT NOT NULL, 
	model VARCHAR(64), 
	reason TEXT NOT NULL, 
	entry BIGINT NOT NULL, 
	CONSTRAINT pk_campaign_revision PRIMARY KEY (campaign, revision), 
	CONSTRAINT fk_campaign_revision_campaign FOREIGN KEY(campaign) REFERENCES campaign (id), 
	CONSTRAINT fk_campaign_revision_model FOREIGN KEY(model) REFERENCES latent_model (hash)
);
INSERT INTO "campaign_revision" VALUES('11111111-2222-4333-8444-555555555555',1,'{}','{}',NULL,'',1);
CREATE TABLE candidate (
	campaign VARCHAR(36) NOT NULL, 
	number BIGINT NOT NULL, 
	round BIGINT, 
	source TEXT NOT NULL, 
	edited_from BIGINT, 
	external_ids TEXT NOT NULL, 
	point BLOB, 
	mean DOUBLE, 
	std DOUBLE, 
	acquisition DOUBLE, 
	valid BOOLEAN, 
	reason TEXT NOT NULL, 
	object TEXT, 
	artifact VARCHAR(64), 
	"key" TEXT NOT NULL, 
	filters TEXT NOT NULL, 
	realised BLOB, 
	log_prior DOUBLE, 
	duplicate_of BIGINT, 
	objective DOUBLE, 
	feasible BOOLEAN, 
	objective_revision BIGINT, 
	entry BIGINT NOT NULL, 
	CONSTRAINT pk_candidate PRIMARY KEY (campaign, number), 
	CONSTRAINT fk_candidate_campaign_round FOREIGN KEY(campaign, round) REFERENCES round (campaign, number), 
	CONSTRAINT fk_candidate_campaign FOREIGN KEY(campaign) REFERENCES campaign (id)
);
INSERT INTO "candidate" VALUES('11111111-2222-4333-8444-555555555555',1,1,'proposed',NULL,'[]',X'000000000000D03F000000000000E03F',0.0,4.94065645841247e-324,NULL,1,'','CCO',NULL,'key 1','{}',X'000000000000D03F000000000000E03F',0.0,NULL,0.5,1,1,2);
INSERT INTO "candidate" VALUES('11111111-2222-4333-8444-555555555555',2,1,'proposed',NULL,'[]',X'000000000000D03F000000000000E03F',0.0,4.94065645841247e-324,NULL,1,'','','2cea274d0bedc39ec4ab6ba9e59ec889e3ed6fb56a1cf088a64d9b383378dc97','key 2','{"alerts":true}',NULL,0.0,NULL,NULL,NULL,NULL,2);
INSERT INTO "candidate" VALUES('11111111-2222-4333-8444-555555555555',3,NULL,'told',NULL,'["Å-4711","𝒙"]',NULL,NULL,NULL,NULL,1,'é
','C',NULL,'key 3','{}',NULL,0.0,NULL,NULL,NULL,NULL,6);
CREATE TABLE fit (
	campaign VARCHAR(36) NOT NULL, 
	number BIGINT NOT NULL, 
	revision BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	state TEXT NOT NULL, 
	data_hash VARCHAR(64) NOT NULL, 
	data_size BIGINT NOT NULL, 
	position BIGINT NOT NULL, 
	previous BIGINT, 
	versions TEXT NOT NULL, 
	duration DOUBLE NOT NULL, 
	fitted_at BIGINT NOT NULL, 
	entry BIGINT NOT NULL, 
	CONSTRAINT pk_fit PRIMARY KEY (campaign, number), 
	CONSTRAINT fk_fit_campaign FOREIGN KEY(campaign) REFERENCES campaign (id)
);
INSERT INTO "fit" VALUES('11111111-2222-4333-8444-555555555555',1,1,'gp','{"noise":0.0001}','0000000000000000000000000000000000000000000000000000000000000000',0,1,NULL,'{"numpy":"2"}',0.25,3,2);
CREATE TABLE job (
	campaign VARCHAR(36) NOT NULL, 
	number BIGINT NOT NULL, 
	candidate BIGINT NOT NULL, 
	evaluator TEXT NOT NULL, 
	replicate BIGINT NOT NULL, 
	"key" TEXT NOT NULL, 
	state TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	attempts BIGINT NOT NULL, 
	batch BIGINT, 
	position TEXT NOT NULL, 
	not_before BIGINT, 
	deadline BIGINT, 
	cost DOUBLE NOT NULL, 
	entry BIGINT NOT NULL, 
	CONSTRAINT pk_job PRIMARY KEY (campaign, number), 
	CONSTRAINT fk_job_campaign_candidate FOREIGN KEY(campaign, candidate) REFERENCES candidate (campaign, number), 
	CONSTRAINT fk_job_campaign FOREIGN KEY(campaign) REFERENCES campaign (id), 
	CONSTRAINT uq_job_key UNIQUE ("key")
);
INSERT INTO "job" VALUES('11111111-2222-4333-8444-555555555555',1,1,'bench',1,'11111111-2222-4333-8444-555555555555/1/bench/1','succeeded','',1,1,'A1',NULL,NULL,0.0,3);
INSERT INTO "job" VALUES('11111111-2222-4333-8444-555555555555',2,2,'bench',1,'11111111-2222-4333-8444-555555555555/2/bench/2','submitted','',1,1,'A1',NULL,NULL,0.0,3);
CREATE TABLE latent_model (
	hash VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	card TEXT NOT NULL, 
	entry BIGINT NOT NULL, 
	CONSTRAINT pk_latent_model PRIMARY KEY (hash)
);
INSERT INTO "latent_model" VALUES('9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c','tiny','{"weights_sha256":"9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"}',2);
CREATE TABLE lease (
	name TEXT NOT NULL, 
	token BIGINT NOT NULL, 
	host TEXT NOT NULL, 
	pid BIGINT NOT NULL, 
	process_started DOUBLE NOT NULL, 
	expires_at BIGINT NOT NULL, 
	CONSTRAINT pk_lease PRIMARY KEY (name)
);
CREATE TABLE ledger_entry (
	chain VARCHAR(36) NOT NULL, 
	sequence BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	clock_back BOOLEAN NOT NULL, 
	actor_kind TEXT NOT NULL, 
	actor_id TEXT NOT NULL, 
	on_behalf_of TEXT NOT NULL, 
	mode TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	version BIGINT NOT NULL, 
	payload TEXT NOT NULL, 
	previous VARCHAR(64) NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_ledger_entry PRIMARY KEY (chain, sequence)
);
INSERT INTO "ledger_entry" VALUES('11111111-2222-4333-8444-555555555555',1,1,0,'os account','ada','','single-user','create',1,'{"about":{},"new":{"campaign":[{"barren_rounds":0,"best":null,"cost":0.0,"created_at":1,"driver_seconds":0.0,"evaluations":0,"name":"small","ordinal":1,"reason":"","revision":1,"rounds":0,"since_best":0,"state":"running"}],"campaign_revision":[{"model":null,"reason":"","resolved":{},"revision":1,"written":{}}]},"set":{}}','0000000000000000000000000000000000000000000000000000000000000000','19f55a1431afff594d8caf1add6a6e164a6d49619ee7c358848f3b293193db73');
INSERT INTO "ledger_entry" VALUES('system',1,1,0,'os account','ada','','single-user','campaign',1,'{"about":{"campaign":"11111111-2222-4333-8444-555555555555","genesis":"19f55a1431afff594d8caf1add6a6e164a6d49619ee7c358848f3b293193db73","name":"small"},"new":{},"set":{}}','0000000000000000000000000000000000000000000000000000000000000000','1f4c7551f6aab245e773e8d3f9a1ff4fc40b2665895c2ccee80c1b7aeab5c9be');
INSERT INTO "ledger_entry" VALUES('system',2,2,0,'os account','ada','','single-user','model',1,'{"about":{},"new":{"artifact":[{"media_type":"application/x-safetensors","sha256":"9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c","size":7}],"latent_model":[{"card":{"weights_sha256":"9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"},"hash":"9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c","name":"tiny"}]},"set":{}}','1f4c7551f6aab245e773e8d3f9a1ff4fc40b2665895c2ccee80c1b7aeab5c9be','3d64df8d4f9ee1daba287e544e24ab51a2cca238bc46cf6116a907381f55f64e');
INSERT INTO "ledger_entry" VALUES('system',3,2,0,'os account','ada','','single-user','account',1,'{"about":{},"new":{"account":[{"created_at":2,"full_name":"Ada Lovelace","name":"ada","reason":"","role":"owner","state":"active"}],"signing_key":[{"created_at":2,"key":"8f06e90095c465120a5e2964c4ed268d810d2a05931a7d7ab478a5a809321cc4","reason":"","revoked_at":null}]},"set":{}}','3d64df8d4f9ee1daba287e544e24ab51a2cca238bc46cf6116a907381f55f64e','81b6da0e90b5bc16f2ed6fe27ca6170cb4ab91ffa92741f14a77dd8feed2d4da');
INSERT INTO "ledger_entry" VALUES('11111111-2222-4333-8444-555555555555',2,3,0,'os account','ada','','single-user','propose',1,'{"about":{},"new":{"candidate":[{"acquisition":null,"artifact":null,"duplicate_of":null,"edited_from":null,"external_ids":[],"feasible":null,"filters":{},"key":"key 1","log_prior":0.0,"mean":-0.0,"number":1,"object":"","objective":null,"objective_revision":null,"point":[0.25,0.5],"realised":null,"reason":"","round":1,"source":"proposed","std":5e-324,"valid":null},{"acquisition":null,"artifact":null,"duplicate_of":null,"edited_from":null,"external_ids":[],"feasible":null,"filters":{},"key":"key 2","log_prior":0.0,"mean":-0.0,"number":2,"object":"","objective":null,"objective_revision":null,"point":[0.25,0.5],"realised":null,"reason":"","round":1,"source":"proposed","std":5e-324,"valid":null}],"fit":[{"data_hash":"0000000000000000000000000000000000000000000000000000000000000000","data_size":0,"duration":0.25,"fitted_at":3,"kind":"gp","number":1,"position":1,"previous":null,"revision":1,"state":{"noise":0.0001},"versions":{"numpy":"2"}}],"round":[{"details":{"kind":"gp"},"fit":1,"number":1,"pending":[],"position":1,"proposed_at":3,"proposer":"gp","revision":1,"source":"proposed","state":"proposed","stream":[7,1,1]}]},"set":{"campaign":[{"rounds":1}]}}','19f55a1431afff594d8caf1add6a6e164a6d49619ee7c358848f3b293193db73','f6c32447b9c20ddeccde6e7d325fbd6f169365bf943b72da001a6e8ed6654fc1');
INSERT INTO "ledger_entry" VALUES('11111111-2222-4333-8444-555555555555',3,4,0,'os account','ada','','single-user','decode',1,'{"about":{"round":1},"new":{"artifact":[{"media_type":"image/png","sha256":"2cea274d0bedc39ec4ab6ba9e59ec889e3ed6fb56a1cf088a64d9b383378dc97","size":7}],"job":[{"attempts":0,"batch":null,"candidate":1,"cost":0.0,"deadline":null,"evaluator":"bench","key":"11111111-2222-4333-8444-555555555555/1/bench/1","not_before":null,"number":1,"position":"","reason":"","replicate":1,"state":"queued"},{"attempts":0,"batch":null,"candidate":2,"cost":0.0,"deadline":null,"evaluator":"bench","key":"11111111-2222-4333-8444-555555555555/2/bench/2","not_before":null,"number":2,"position":"","reason":"","replicate":1,"state":"queued"}]},"set":{"candidate":[{"number":1,"object":"CCO","realised":[0.25,0.5],"valid":true},{"artifact":"2cea274d0bedc39ec4ab6ba9e59ec889e3ed6fb56a1cf088a64d9b383378dc97","filters":{"alerts":true},"number":2,"valid":true}],"round":[{"number":1,"state":"decoded"}]}}','f6c32447b9c20ddeccde6e7d325fbd6f169365bf943b72da001a6e8ed6654fc1','1c381aa2d554bda7f5b0dfabb522944b4ba5c5cae6b0e45a66633a1ae69fa613');
INSERT INTO "ledger_entry" VALUES('11111111-2222-4333-8444-555555555555',4,5,0,'os account','ada','','single-user','submit',1,'{"about":{},"new":{"attempt":[{"batch":1,"delivered_at":null,"delivery":null,"ended_at":null,"job":1,"number":1,"reason":"","receipt":null,"reference":"run 1","started_at":5,"state":"submitted","submitted_at":5},{"batch":1,"delivered_at":null,"delivery":null,"ended_at":null,"job":2,"number":1,"reason":"","receipt":null,"reference":"run 2","started_at":5,"state":"submitted","submitted_at":5}],"batch":[{"barcode":"0123456789AB","evaluator":"bench","key":"11111111-2222-4333-8444-555555555555/batch/1","number":1}]},"set":{"campaign":[{"cost":2.5,"evaluations":2}],"job":[{"attempts":1,"batch":1,"number":1,"position":"A1","state":"submitted"},{"attempts":1,"batch":1,"number":2,"position":"A1","state":"submitted"}]}}','1c381aa2d554bda7f5b0dfabb522944b4ba5c5cae6b0e45a66633a1ae69fa613','91ce3d7a26c714be2346801ead9a9acb4b8f914dde070dc7566bc03dfdf3e578');
INSERT INTO "ledger_entry" VALUES('11111111-2222-4333-8444-555555555555',5,6,0,'os account','ada','','single-user','record',1,'{"about":{},"new":{"artifact":[{"media_type":"application/json","sha256":"e64c61c81f2f37e1872a2d3d8a1d2a58701533161001d760485902453aa83de9","size":14}],"measurement":[{"attempt":1,"candidate":1,"censoring":"none","delivery":"e64c61c81f2f37e1872a2d3d8a1d2a58701533161001d760485902453aa83de9","evaluator":"bench","instrument":"Reader 3","job":1,"lot":"L-7","measured_at":null,"name":"score","number":1,"operator":"ada","place":"/score","provenance":"a notebook","received_at":1,"source":"evaluator","std":0.01,"supersedes":null,"unit":"","value":0.5}],"measurement_flag":[{"kind":"late","measurement":1,"number":1,"reason":"late"}]},"set":{"attempt":[{"delivered_at":6,"delivery":"e64c61c81f2f37e1872a2d3d8a1d2a58701533161001d760485902453aa83de9","ended_at":6,"job":1,"number":1,"receipt":1,"state":"succeeded"}],"campaign":[{"best":1}],"candidate":[{"feasible":true,"number":1,"objective":0.5,"objective_revision":1}],"job":[{"number":1,"state":"succeeded"}]}}','91ce3d7a26c714be2346801ead9a9acb4b8f914dde070dc7566bc03dfdf3e578','e8f92a7455f12e43dc39922bf09a813f6fdab2237cbf5c5247d69fd0a00df19b');
INSERT INTO "ledger_entry" VALUES('11111111-2222-4333-8444-555555555555',6,7,0,'os account','ada','','single-user','tell',1,'{"about":{"provenance":"a notebook"},"new":{"candidate":[{"acquisition":null,"artifact":null,"duplicate_of":null,"edited_from":null,"external_ids":["Å-4711","𝒙"],"feasible":null,"filters":{},"key":"key 3","log_prior":0.0,"mean":null,"number":3,"object":"C","objective":null,"objective_revision":null,"point":null,"realised":null,"reason":"é\n","round":null,"source":"told","std":null,"valid":true}],"measurement":[{"attempt":null,"candidate":3,"censoring":"none","delivery":null,"evaluator":"","instrument":"","job":null,"lot":"","measured_at":1,"name":"score","number":2,"operator":"","place":"","provenance":"a notebook","received_at":1,"source":"told","std":null,"supersedes":null,"unit":"µg","value":0.3333333333333333}]},"set":{"campaign":[{"reason":"lunch","state":"paused"}]}}','e8f92a7455f12e43dc39922bf09a813f6fdab2237cbf5c5247d69fd0a00df19b','22a6122c8860f6ca326bfa7d95db2603c98d07cbbb0d3b1663130a37facfbe56');
INSERT INTO "ledger_entry" VALUES('11111111-2222-4333-8444-555555555555',7,8,0,'os account','ada','','single-user','sign',1,'{"about":{},"new":{"signature":[{"account":"grace","hash":"22a6122c8860f6ca326bfa7d95db2603c98d07cbbb0d3b1663130a37facfbe56","meaning":"reviewed","name":"Grace Hopper","number":1,"signed":6,"signed_at":8}]},"set":{}}','22a6122c8860f6ca326bfa7d95db2603c98d07cbbb0d3b1663130a37facfbe56','2b8865e1a3057080361ccb89163c626b04cd540690c4cd552d53af16c54a0445');
CREATE TABLE measurement (
	campaign VARCHAR(36) NOT NULL, 
	number BIGINT NOT NULL, 
	candidate BIGINT NOT NULL, 
	job BIGINT, 
	attempt BIGINT, 
	evaluator TEXT NOT NULL, 
	name TEXT NOT NULL, 
	value DOUBLE NOT NULL, 
	unit TEXT NOT NULL, 
	std DOUBLE, 
	censoring TEXT NOT NULL, 
	measured_at BIGINT, 
	received_at BIGINT NOT NULL, 
	source TEXT NOT NULL, 
	provenance TEXT NOT NULL, 
	delivery VARCHAR(64), 
	place TEXT NOT NULL, 
	supersedes BIGINT, 
	entry BIGINT NOT NULL, instrument TEXT DEFAULT '' NOT NULL, operator TEXT DEFAULT '' NOT NULL, lot TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_measurement PRIMARY KEY (campaign, number), 
	CONSTRAINT fk_measurement_campaign_candidate FOREIGN KEY(campaign, candidate) REFERENCES candidate (campaign, number), 
	CONSTRAINT fk_measurement_campaign FOREIGN KEY(campaign) REFERENCES campaign (id)
);
INSERT INTO "measurement" VALUES('11111111-2222-4333-8444-555555555555',1,1,1,1,'bench','score',0.5,'',0.01,'none',NULL,1,'evaluator','a notebook','e64c61c81f2f37e1872a2d3d8a1d2a58701533161001d760485902453aa83de9','/score',NULL,5,'Reader 3','ada','L-7');
INSERT INTO "measurement" VALUES('11111111-2222-4333-8444-555555555555',2,3,NULL,NULL,'','score',3.33333333333333314829e-01,'µg',NULL,'none',1,1,'told','a notebook',NULL,'',NULL,6,'','','');
CREATE TABLE measurement_flag (
	campaign VARCHAR(36) NOT NULL, 
	measurement BIGINT NOT NULL, 
	number BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	entry BIGINT NOT NULL, 
	CONSTRAINT pk_measurement_flag PRIMARY KEY (campaign, measurement, number), 
	CONSTRAINT fk_measurement_flag_campaign_measurement FOREIGN KEY(campaign, measurement) REFERENCES measurement (campaign, number), 
	CONSTRAINT fk_measurement_flag_campaign FOREIGN KEY(campaign) REFERENCES campaign (id)
);
INSERT INTO "measurement_flag" VALUES('11111111-2222-4333-8444-555555555555',1,1,'late','late',5);
CREATE TABLE round (
	campaign VARCHAR(36) NOT NULL, 
	number BIGINT NOT NULL, 
	revision BIGINT NOT NULL, 
	source TEXT NOT NULL, 
	state TEXT NOT NULL, 
	proposer TEXT NOT NULL, 
	fit BIGINT, 
	position BIGINT NOT NULL, 
	pending TEXT NOT NULL, 
	stream TEXT NOT NULL, 
	details TEXT NOT NULL, 
	proposed_at BIGINT NOT NULL, 
	entry BIGINT NOT NULL, 
	CONSTRAINT pk_round PRIMARY KEY (campaign, number), 
	CONSTRAINT fk_round_campaign FOREIGN KEY(campaign) REFERENCES campaign (id)
);
INSERT INTO "round" VALUES('11111111-2222-4333-8444-555555555555',1,1,'proposed','decoded','gp',1,1,'[]','[7,1,1]','{"kind":"gp"}',3,2);
CREATE TABLE secret (
	id TEXT NOT NULL, 
	account TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	scopes TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT, 
	CONSTRAINT pk_secret PRIMARY KEY (id)
);
CREATE TABLE signature (
	chain VARCHAR(36) NOT NULL, 
	number BIGINT NOT NULL, 
	signed BIGINT NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	account TEXT NOT NULL, 
	name TEXT NOT NULL, 
	meaning TEXT NOT NULL, 
	signed_at BIGINT NOT NULL, 
	entry BIGINT NOT NULL, 
	CONSTRAINT pk_signature PRIMARY KEY (chain, number)
);
INSERT INTO "signature" VALUES('11111111-2222-4333-8444-555555555555',1,6,'22a6122c8860f6ca326bfa7d95db2603c98d07cbbb0d3b1663130a37facfbe56','grace','Grace Hopper','reviewed',8,7);
CREATE TABLE signing_key (
	"key" VARCHAR(64) NOT NULL, 
	created_at BIGINT NOT NULL, 
	revoked_at BIGINT, 
	reason TEXT NOT NULL, 
	entry BIGINT NOT NULL, 
	CONSTRAINT pk_signing_key PRIMARY KEY ("key")
);
INSERT INTO "signing_key" VALUES('8f06e90095c465120a5e2964c4ed268d810d2a05931a7d7ab478a5a809321cc4',2,NULL,'',3);
CREATE INDEX ix_candidate_campaign_key ON candidate (campaign, "key");
CREATE INDEX ix_candidate_campaign_objective ON candidate (campaign, objective);
CREATE INDEX ix_candidate_campaign_round ON candidate (campaign, round);
CREATE INDEX ix_job_campaign_candidate ON job (campaign, candidate);
CREATE INDEX ix_job_campaign_state ON job (campaign, state);
CREATE INDEX ix_measurement_campaign_candidate ON measurement (campaign, candidate);
CREATE INDEX ix_measurement_campaign_entry ON measurement (campaign, entry);
CREATE TRIGGER ledger_entry_no_update BEFORE UPDATE ON ledger_entry BEGIN SELECT RAISE(ABORT, 'ledger_entry is append-only: UPDATE refused'); END;
CREATE TRIGGER ledger_entry_no_delete BEFORE DELETE ON ledger_entry BEGIN SELECT RAISE(ABORT, 'ledger_entry is append-only: DELETE refused'); END;
CREATE TRIGGER measurement_no_update BEFORE UPDATE ON measurement BEGIN SELECT RAISE(ABORT, 'measurement is append-only: UPDATE refused'); END;
CREATE TRIGGER measurement_no_delete BEFORE DELETE ON measurement BEGIN SELECT RAISE(ABORT, 'measurement is append-only: DELETE refused'); END;
CREATE TRIGGER measurement_flag_no_update BEFORE UPDATE ON measurement_flag BEGIN SELECT RAISE(ABORT, 'measurement_flag is append-only: UPDATE refused'); END;
CREATE TRIGGER measurement_flag_no_delete BEFORE DELETE ON measurement_flag BEGIN SELECT RAISE(ABORT, 'measurement_flag is append-only: DELETE refused'); END;
CREATE TRIGGER artifact_no_update BEFORE UPDATE ON artifact BEGIN SELECT RAISE(ABORT, 'artifact is append-only: UPDATE refused'); END;
CREATE TRIGGER artifact_no_delete BEFORE DELETE ON artifact BEGIN SELECT RAISE(ABORT, 'artifact is append-only: DELETE refused'); END;
CREATE TRIGGER artifact_chunk_no_update BEFORE UPDATE ON artifact_chunk BEGIN SELECT RAISE(ABORT, 'artifact_chunk is append-only: UPDATE refused'); END;
CREATE TRIGGER artifact_chunk_no_delete BEFORE DELETE ON artifact_chunk BEGIN SELECT RAISE(ABORT, 'artifact_chunk is append-only: DELETE refused'); END;
CREATE TRIGGER anchor_no_update BEFORE UPDATE ON anchor BEGIN SELECT RAISE(ABORT, 'anchor is append-only: UPDATE refused'); END;
CREATE TRIGGER anchor_no_delete BEFORE DELETE ON anchor BEGIN SELECT RAISE(ABORT, 'anchor is append-only: DELETE refused'); END;
CREATE TRIGGER signature_no_update BEFORE UPDATE ON signature BEGIN SELECT RAISE(ABORT, 'signature is append-only: UPDATE refused'); END;
CREATE TRIGGER signature_no_delete BEFORE DELETE ON signature BEGIN SELECT RAISE(ABORT, 'signature is append-only: DELETE refused'); END;
CREATE INDEX ix_measurement_campaign_supersedes ON measurement (campaign, supersedes) WHERE supersedes IS NOT NULL;
CREATE INDEX ix_ledger_entry_chain_kind_sequence ON ledger_entry (chain, kind, sequence);
CREATE INDEX ix_ledger_entry_chain_at_sequence ON ledger_entry (chain, at, sequence);
COMMIT;
