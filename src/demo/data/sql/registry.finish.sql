ALTER TABLE public.agents ADD PRIMARY KEY (id);
ALTER TABLE public.permissions ADD PRIMARY KEY (id);
ALTER TABLE public.permissions
    ADD CONSTRAINT permissions_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents (id) ON DELETE CASCADE;

CREATE INDEX agents_tenant_id_idx ON public.agents (tenant_id);
CREATE INDEX agents_labels_idx ON public.agents USING gin (labels);
CREATE UNIQUE INDEX permissions_agent_scope_key ON public.permissions (agent_id, scope);

SELECT setval('public.permissions_id_seq', (SELECT max(id) FROM public.permissions));
