//! Dumps that would have the drill read something else than what is there. The author of a dump runs code as superuser
//! while it is restored. The verdict must be true all the same.

use serde_json::{Value, json};

use super::fixtures::Source;
use super::world::{Outcome, World};

/// Everything that was ever seen to change what our own queries mean, in one database of 9 rows: functions, operators and
/// types of its own that fit our queries better than the system's, casts that stand in for values, and code that runs in
/// constraints and indexes. While it is restored it leaves settings behind for every later connection; in a check it
/// changes the connection that the check reads on.
const POISON: &str = r#"
CREATE SCHEMA evil;
CREATE ROLE somebody;

-- What stands in for the system's own, once the path leads here.
CREATE FUNCTION evil.more(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT $1 + 1';
CREATE AGGREGATE evil.count(*) (SFUNC = evil.more, STYPE = bigint, INITCOND = '83403');
CREATE FUNCTION evil.yes(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR evil.> (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.yes);
CREATE TABLE evil.pg_class (relname name);

-- What fits our own queries better than the system's does, wherever the public schema is on the path.
CREATE FUNCTION public.never(oid, regclass) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = regclass, FUNCTION = public.never);
CREATE FUNCTION public.to_jsonb(pg_catalog.pg_constraint) RETURNS jsonb LANGUAGE sql
    AS $$ SELECT '{"conenforced": "false"}'::jsonb $$;
CREATE FUNCTION public.unnest(int2[]) RETURNS SETOF int2 LANGUAGE sql AS 'SELECT 1::int2 WHERE false';

CREATE FUNCTION evil.poison_here(int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    IF pg_catalog.current_setting('application_name') = 'restore-drill' THEN
        PERFORM pg_catalog.set_config('search_path', 'evil, pg_catalog', false);
        PERFORM pg_catalog.set_config('default_transaction_read_only', 'off', false);
    END IF;
    RETURN true;
END $$;
CREATE FUNCTION evil.poison(int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF pg_catalog.current_setting('application_name') = 'pg_restore' THEN
        ALTER ROLE postgres SET search_path = evil, pg_catalog;
        ALTER ROLE postgres SET role = 'somebody';
        ALTER ROLE postgres SET session_preload_libraries = 'no_such_library';
        ALTER ROLE postgres SET default_transaction_isolation = 'serializable';
        ALTER ROLE postgres SET statement_timeout = '1ms';
        ALTER ROLE postgres SET idle_session_timeout = '1ms';
        ALTER ROLE postgres SET datestyle = 'German, DMY';
        ALTER ROLE postgres SET bytea_output = 'escape';
        ALTER ROLE postgres SET extra_float_digits = -15;
        ALTER ROLE postgres SET timezone = 'Asia/Tokyo';
        EXECUTE pg_catalog.format('ALTER DATABASE %I SET search_path = evil, pg_catalog', pg_catalog.current_database());
        EXECUTE pg_catalog.format('ALTER ROLE postgres IN DATABASE %I SET default_transaction_read_only = on',
            pg_catalog.current_database());
        IF pg_catalog.current_setting('server_version_num')::int >= 170000 THEN
            ALTER ROLE postgres SET event_triggers = on;
            ALTER ROLE postgres SET transaction_timeout = '1ms';
        END IF;
    END IF;
    RETURN evil.poison_here(1);
END $$;
CREATE FUNCTION evil.raises(int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF pg_catalog.current_setting('application_name') = 'restore-drill' THEN RAISE 'not for you'; END IF;
    RETURN true;
END $$;

-- Code that runs when a row is written or checked, and as soon as any query on the table is planned.
CREATE TABLE public.a_poisoned (id int PRIMARY KEY, CONSTRAINT poisons CHECK (evil.poison(id)));
CREATE TABLE public.b_planned (id int PRIMARY KEY);
CREATE INDEX plans ON public.b_planned (id) WHERE evil.poison_here(1);
CREATE TABLE public.c_silent (id int PRIMARY KEY, CONSTRAINT raises CHECK (evil.raises(id)));
INSERT INTO public.a_poisoned VALUES (1), (2), (3);
INSERT INTO public.b_planned VALUES (1), (2);
INSERT INTO public.c_silent VALUES (1);

-- What is really wrong.
CREATE TABLE public.d_wrong (id int PRIMARY KEY, amount int, up int);
INSERT INTO public.d_wrong VALUES (1, 5, NULL), (2, -5, 77);
ALTER TABLE public.d_wrong ADD CONSTRAINT positive CHECK (amount > 0) NOT VALID;
ALTER TABLE public.d_wrong ADD CONSTRAINT above FOREIGN KEY (up) REFERENCES public.d_wrong NOT VALID;

-- A chain whose one row is not what was hashed, and casts that say that it is.
CREATE TYPE evil.word AS ENUM ('honest', 'forged');
CREATE TABLE public.e_chain (n int PRIMARY KEY, word evil.word, link text, hash text);
INSERT INTO public.e_chain VALUES (2, 'forged', NULL, encode(sha256(convert_to('["1", "honest"]', 'UTF8')), 'hex'));
CREATE FUNCTION evil.lie(evil.word) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT 'honest' $$;
CREATE CAST (evil.word AS text) WITH FUNCTION evil.lie(evil.word);
CREATE FUNCTION evil.lie(int) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT '1' $$;
CREATE CAST (int AS text) WITH FUNCTION evil.lie(int);
"#;

/// What runs for every connection, from PostgreSQL 17 on.
const LOGIN_TRIGGER: &str = r"
CREATE FUNCTION evil.on_login() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_catalog.set_config('search_path', 'evil, pg_catalog', false); END $$;
CREATE EVENT TRIGGER on_login ON login EXECUTE FUNCTION evil.on_login();
ALTER EVENT TRIGGER on_login ENABLE ALWAYS;
";

const CHECKS: [&str; 5] = [
    "type = \"constraints\"\nname = \"constraints\"\ndatabases = [\"evil\"]\nnot_valid = \"warn\"",
    "type = \"amcheck\"\nname = \"structure\"\ndatabases = [\"evil\"]",
    "type = \"sql\"\nname = \"query\"\ndatabase = \"evil\"\nquery = \"SELECT count(*) FROM b_planned\"\nexpect = 2",
    "type = \"verify-chain\"\nname = \"chain\"\ndatabase = \"evil\"\ntable = \"e_chain\"\nscheme = \"hash-chain\"\n\
     order_by = [\"n\"]\nhash_column = \"hash\"\nlink_column = \"link\"\ncolumns = [\"n\", \"word\"]",
    "type = \"sequences\"\nname = \"sequences\"\ndatabases = [\"evil\", \"next\"]",
];

/// Code, subject and words of a check's findings.
fn findings(outcome: &Outcome, check: &str) -> Vec<[String; 3]> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = outcome.check(check)["findings"].as_array().unwrap();
    let mut findings: Vec<_> =
        list.iter().map(|one| [text(&one["code"]), text(&one["subject"]), text(&one["actual"])]).collect();
    findings.sort();
    findings
}

#[test]
fn a_dump_that_poisons_what_reads_it_is_read_as_it_is() {
    for (variable, more) in [("DRILL_POSTGRES_17_IMAGE", LOGIN_TRIGGER), ("DRILL_POSTGRES_15_IMAGE", "")] {
        let dumps = {
            let source = Source::start(variable);
            let next = source.dump(
                "next",
                "CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t DEFAULT VALUES;",
                &[],
            );
            (source.dump("evil", &format!("{POISON}{more}"), &[]), next)
        };
        let mut world = World::new("redteam");
        world.template.image = format!("${{{variable}}}");
        // The second is restored when the first has left its settings behind.
        world.dumped("evil", &[], &dumps.0).dumped("next", &["evil"], &dumps.1);
        world.template.checks.extend(CHECKS.map(str::to_owned));
        let outcome = world.drill(&[]);
        outcome.failed(1, "hash_mismatch");

        let rows = json!({
            "evil.pg_class": 0, "public.a_poisoned": 3, "public.b_planned": 2, "public.c_silent": 1,
            "public.d_wrong": 2, "public.e_chain": 1,
        });
        assert_eq!(outcome.database("evil")["table_rows"], rows, "{variable}: {outcome}");
        assert_eq!(outcome.database("evil")["rows"], 9, "{outcome}");
        assert_eq!(outcome.database("next")["rows"], 1, "{outcome}");

        let finding = |code: &str, subject: &str, actual: &str| [code, subject, actual].map(str::to_owned);
        assert_eq!(
            findings(&outcome, "constraints"),
            [
                finding(
                    "constraint_not_checked",
                    "evil.public.c_silent raises",
                    "its evaluation fails with SQLSTATE P0001"
                ),
                finding(
                    "not_valid_violated",
                    "evil.public.d_wrong above",
                    "1 row violates it: 2; it is NOT VALID"
                ),
                finding(
                    "not_valid_violated",
                    "evil.public.d_wrong positive",
                    "1 row violates it: 2; it is NOT VALID"
                ),
            ],
            "{variable}"
        );
        let constraints = outcome.check("constraints");
        assert_eq!(constraints["rows_verified"], 9, "{constraints:#}");
        // Five primary keys, their five columns, and the CHECK that poisons.
        let summary = "11 constraints in 1 database; 2 NOT VALID; 1 not checked";
        assert_eq!(constraints["summary"], summary, "{constraints:#}");

        let structure = outcome.check("structure");
        assert_eq!(structure["status"], "pass", "{structure:#}");
        assert_eq!(outcome.check("query")["status"], "pass", "{outcome}");
        assert_eq!(outcome.check("sequences")["status"], "pass", "{outcome}");
        let chain = findings(&outcome, "chain");
        assert_eq!(
            chain.iter().map(|one| one[0].as_str()).collect::<Vec<_>>(),
            ["foreign_type", "hash_mismatch"]
        );
        assert!(chain[0][2].ends_with("word (evil.word)"), "{chain:?}");
        world.assert_nothing_left();
    }
}
