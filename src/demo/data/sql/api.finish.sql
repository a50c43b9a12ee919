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
