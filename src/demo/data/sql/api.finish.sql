ALTER TABLE public.api_requests ADD PRIMARY KEY (id);
ALTER TABLE public.webhooks ADD PRIMARY KEY (id);
ALTER TABLE public.idempotency_keys ADD PRIMARY KEY (tenant_id, key);

CREATE INDEX api_requests_tenant_idx ON public.api_requests (tenant_id, requested_at);

ALTER TABLE public.api_requests ENABLE ROW LEVEL SECURITY;
CREATE POLICY api_requests_own_tenant ON public.api_requests FOR SELECT TO aegis_app
    USING (tenant_id = current_setting('aegis.tenant_id', true)::uuid);

CREATE VIEW public.api_errors AS
    SELECT tenant_id, path, count(*) AS errors FROM public.api_requests WHERE status >= 500 GROUP BY 1, 2;

SELECT setval('public.api_requests_id_seq', (SELECT max(id) FROM public.api_requests));

-- This database belongs to a role that is no superuser, like everything in it.
CREATE FUNCTION public.api_rotate_webhook(webhook uuid, digest bytea) RETURNS boolean LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'WITH changed AS (UPDATE public.webhooks SET secret_digest = digest WHERE id = webhook RETURNING id)
        SELECT EXISTS (SELECT FROM changed)';
REVOKE ALL ON FUNCTION public.api_rotate_webhook(uuid, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.api_rotate_webhook(uuid, bytea) TO aegis_app;
GRANT SELECT, INSERT ON public.api_requests TO aegis_app;
GRANT USAGE ON SEQUENCE public.api_requests_id_seq TO aegis_app;
GRANT SELECT (id, tenant_id, url, created_at) ON public.webhooks TO aegis_app;
GRANT SELECT, INSERT, DELETE ON public.idempotency_keys TO aegis_app;
GRANT SELECT ON public.api_errors TO aegis_readers;
ALTER DEFAULT PRIVILEGES FOR ROLE aegis_owner IN SCHEMA public GRANT SELECT ON TABLES TO aegis_readers;
ALTER DEFAULT PRIVILEGES FOR ROLE aegis_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

ALTER TABLE public.api_requests OWNER TO aegis_owner;
ALTER TABLE public.webhooks OWNER TO aegis_owner;
ALTER TABLE public.idempotency_keys OWNER TO aegis_owner;
ALTER VIEW public.api_errors OWNER TO aegis_owner;
ALTER FUNCTION public.api_rotate_webhook(uuid, bytea) OWNER TO aegis_owner;
ALTER DATABASE acp_api OWNER TO aegis_owner;
REVOKE CONNECT, TEMPORARY ON DATABASE acp_api FROM PUBLIC;
GRANT CONNECT ON DATABASE acp_api TO aegis_app;
ALTER DATABASE acp_api SET "aegis.region" = 'eu';
ALTER ROLE aegis_app IN DATABASE acp_api SET "aegis.channel" = 'service';
