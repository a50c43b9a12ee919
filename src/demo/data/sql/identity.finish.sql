ALTER TABLE public.organizations ADD PRIMARY KEY (id);
ALTER TABLE public.tenants ADD PRIMARY KEY (id);
ALTER TABLE public.users ADD PRIMARY KEY (id);
ALTER TABLE public.agent_credentials ADD PRIMARY KEY (id);

ALTER TABLE public.tenants
    ADD CONSTRAINT tenants_org_id_fkey FOREIGN KEY (org_id) REFERENCES public.organizations (id);
ALTER TABLE public.users
    ADD CONSTRAINT users_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants (id) ON DELETE CASCADE;
ALTER TABLE public.agent_credentials
    ADD CONSTRAINT agent_credentials_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants (id);

CREATE UNIQUE INDEX users_email_key ON public.users (lower(email));
CREATE INDEX users_tenant_id_idx ON public.users (tenant_id);
CREATE UNIQUE INDEX agent_credentials_active_key ON public.agent_credentials (agent_id) WHERE revoked_at IS NULL;

GRANT SELECT ON public.organizations, public.tenants TO aegis_readers;
GRANT SELECT, INSERT, UPDATE ON public.users TO aegis_app;
-- The digests of secrets are for the owner alone.
GRANT SELECT (id, tenant_id, agent_id, created_at, revoked_at), UPDATE (revoked_at) ON public.agent_credentials TO aegis_app;
