PRAGMA application_id = 1463898706;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE entry (
            id            TEXT    NOT NULL UNIQUE,
            incident      TEXT    NOT NULL REFERENCES incident (id),
            seq           INTEGER NOT NULL CHECK (seq > 0),
            happened_at   INTEGER NOT NULL,
            recorded_at   INTEGER NOT NULL,
            author        TEXT    NOT NULL,
            source        TEXT    NOT NULL,
            kind          TEXT    NOT NULL,
            text          TEXT    NOT NULL,
            refers_to     TEXT             REFERENCES entry (id),
            fold          TEXT,
            level         TEXT    NOT NULL,
            count         INTEGER NOT NULL,
            previous_hash TEXT    NOT NULL,
            hash          TEXT    NOT NULL,
            evidence      TEXT,
            UNIQUE (incident, seq)
        );
INSERT INTO "entry" VALUES('01m84bmq9877340tyge2r2aaht','INC-20261123-1406-n6et',1,1795442761000,1795442761000,'tech-lead','person','declared','Declared SEV 2: Payments failing',NULL,NULL,'warn',1,'0000000000000000000000000000000000000000000000000000000000000000','3739bf82196797824d06489d3db38058b44d40327e34e1a25d563fc0873bc90c','{"incident":{"title":"Payments failing","severity":2,"status":"INVESTIGATING","drill":false,"cluster":"aks-prod","namespace":"prod"}}');
INSERT INTO "entry" VALUES('01m84bmr8g0ntyj7ksnaeqqet9','INC-20261123-1406-n6et',2,1795442762000,1795442762000,'tech-lead','person','note','payment-service is down',NULL,NULL,'info',1,'3739bf82196797824d06489d3db38058b44d40327e34e1a25d563fc0873bc90c','72db8e1c6a629aa1d33a0b74010cb3691a321974397e0ce8721d9c9915d15755','{"kind":"Pod","metadata":{"name":"payment-service-1"}}');
INSERT INTO "entry" VALUES('01m84bms7rs78qqrwrgp7tv1hn','INC-20261123-1406-n6et',3,1795442762000,1795442763000,'tech-lead','person','amendment','payment-service is down in both zones','01m84bmr8g0ntyj7ksnaeqqet9',NULL,'info',1,'72db8e1c6a629aa1d33a0b74010cb3691a321974397e0ce8721d9c9915d15755','aa90017fbef226bef304cc235190722c746eff0b60264c2552a7112fb37df175',NULL);
INSERT INTO "entry" VALUES('01m84bmt709r6qmmxw7m9myazd','INC-20261123-1406-n6et',4,1795442764000,1795442764000,'tech-lead','person','followup','tell the bank',NULL,NULL,'info',1,'aa90017fbef226bef304cc235190722c746eff0b60264c2552a7112fb37df175','fc13549f93b19c57940501cdbc184346a6f2383aaeedd2ca9999bb6fdd83b294',NULL);
INSERT INTO "entry" VALUES('01m84bmv68evqxg0fm9fbp6xs8','INC-20261123-1406-n6et',5,1795442765000,1795442765000,'probe','probe','observation','payment-service-1 crashed',NULL,'pod','bad',1,'fc13549f93b19c57940501cdbc184346a6f2383aaeedd2ca9999bb6fdd83b294','3794e9163bbd97f718c5554d1ff25b21eea75772ce6468e178ed2ace21cea0d0',NULL);
INSERT INTO "entry" VALUES('01m84bmw5g2bbztmj5a0mq5s6x','INC-20261123-1406-n6et',6,1795442766000,1795442766000,'tech-lead','person','status','Severity: SEV 1',NULL,NULL,'warn',1,'3794e9163bbd97f718c5554d1ff25b21eea75772ce6468e178ed2ace21cea0d0','38b33464d279489144a65a67dd7609592b229657ed746a83fdcc4072cf50aeb2','{"incident":{"severity":1}}');
INSERT INTO "entry" VALUES('01m84bmx4rannwg57q8j019hb8','INC-20261123-1406-n6et',7,1795442767000,1795442767000,'tech-lead','person','status','rolled back',NULL,NULL,'good',1,'38b33464d279489144a65a67dd7609592b229657ed746a83fdcc4072cf50aeb2','4c7241a565716dc9e32e6ee0b86ae64afbfb75f285581b268fed39a67d0f09c0','{"incident":{"status":"RESOLVED"}}');
INSERT INTO "entry" VALUES('01m84bmy404ns5va6eprv77zg8','INC-20261123-1406-w9a8',1,1795442768000,1795442768000,'tech-lead','person','declared','Declared unclassified: An exercise',NULL,NULL,'warn',1,'0000000000000000000000000000000000000000000000000000000000000000','416e936eac8a3e1f8b07170b09e6955cad4eb9e19e283a53c2364dcdacc6eb0f','{"incident":{"title":"An exercise","severity":null,"status":"INVESTIGATING","drill":true,"cluster":"","namespace":""}}');
CREATE TABLE incident (
            id          TEXT    NOT NULL PRIMARY KEY,
            title       TEXT    NOT NULL,
            severity    INTEGER          CHECK (severity BETWEEN 1 AND 4),
            status      TEXT    NOT NULL,
            declared_at INTEGER NOT NULL,
            resolved_at INTEGER,
            drill       INTEGER NOT NULL CHECK (drill IN (0, 1)),
            cluster     TEXT    NOT NULL,
            namespace   TEXT    NOT NULL,
            -- The end of the chain. Kept apart from the entries, so that a cut tail is noticed.
            head_seq    INTEGER NOT NULL,
            head_hash   TEXT    NOT NULL
        );
INSERT INTO "incident" VALUES('INC-20261123-1406-n6et','Payments failing',1,'RESOLVED',1795442761000,1795442767000,0,'aks-prod','prod',7,'4c7241a565716dc9e32e6ee0b86ae64afbfb75f285581b268fed39a67d0f09c0');
INSERT INTO "incident" VALUES('INC-20261123-1406-w9a8','An exercise',NULL,'INVESTIGATING',1795442768000,NULL,1,'','',1,'416e936eac8a3e1f8b07170b09e6955cad4eb9e19e283a53c2364dcdacc6eb0f');
CREATE INDEX entry_by_fold ON entry (incident, fold, seq) WHERE fold IS NOT NULL;
CREATE INDEX entry_by_reference ON entry (refers_to, seq) WHERE refers_to IS NOT NULL;
CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON entry
        BEGIN SELECT RAISE(ABORT, 'the timeline is append-only: write an amendment'); END;
CREATE TRIGGER entry_is_never_deleted BEFORE DELETE ON entry
        BEGIN SELECT RAISE(ABORT, 'the timeline is append-only: write a retraction'); END;
CREATE TRIGGER incident_is_never_deleted BEFORE DELETE ON incident
        BEGIN SELECT RAISE(ABORT, 'incidents are never deleted'); END;
COMMIT;
