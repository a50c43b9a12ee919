ALTER TABLE public.usage_budgets ADD PRIMARY KEY (tenant_id);
ALTER TABLE public.usage_records ADD PRIMARY KEY (id);
ALTER TABLE public.usage_records ADD CONSTRAINT usage_records_audit_id_key UNIQUE (audit_id);
ALTER TABLE public.usage_records
    ADD CONSTRAINT usage_records_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.usage_budgets (tenant_id);

CREATE INDEX usage_records_tenant_timestamp_idx ON public.usage_records (tenant_id, "timestamp");

CREATE MATERIALIZED VIEW public.usage_by_day AS
    SELECT tenant_id, ("timestamp" AT TIME ZONE 'UTC')::date AS day, sum(units) AS units, sum(cost) AS cost
    FROM public.usage_records
    GROUP BY 1, 2
    WITH DATA;
CREATE UNIQUE INDEX usage_by_day_key ON public.usage_by_day (tenant_id, day);

GRANT SELECT, INSERT ON public.usage_records TO aegis_app;
GRANT SELECT ON public.usage_budgets, public.usage_by_day TO aegis_readers;
