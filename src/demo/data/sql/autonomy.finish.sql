ALTER TABLE public.policies ADD PRIMARY KEY (id);
ALTER TABLE public.approvals ADD PRIMARY KEY (id);
ALTER TABLE public.policies ADD CONSTRAINT policies_tenant_level_key UNIQUE (tenant_id, level);
ALTER TABLE public.approvals
    ADD CONSTRAINT approvals_policy_id_fkey FOREIGN KEY (policy_id) REFERENCES public.policies (id);

CREATE INDEX approvals_decided_at_idx ON public.approvals USING brin (decided_at);

SELECT setval(pg_get_serial_sequence('public.policies', 'id'), (SELECT max(id) FROM public.policies));
SELECT setval('public.approvals_id_seq', (SELECT max(id) FROM public.approvals));
