-- Roles belong to the cluster, not to a database: a dump names them and does not contain them. The application logs in as
-- aegis_app, which owns nothing; what it may do, it was granted. No dump names aegis_auditor, who may read as a member.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'aegis_app') THEN
        CREATE ROLE aegis_owner NOLOGIN;
        CREATE ROLE aegis_readers NOLOGIN;
        CREATE ROLE aegis_app LOGIN CONNECTION LIMIT 50;
        CREATE ROLE aegis_auditor LOGIN;
        GRANT aegis_readers TO aegis_app, aegis_auditor;
        ALTER ROLE aegis_app SET search_path = public;
        ALTER ROLE aegis_app SET statement_timeout = '30s';
        COMMENT ON ROLE aegis_app IS 'what the platform''s services log in as';
    END IF;
END;
$$;
