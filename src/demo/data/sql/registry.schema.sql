CREATE TABLE public.agents (
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    name varchar(200) NOT NULL,
    status varchar(20) NOT NULL DEFAULT 'active',
    labels text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT agents_status_check CHECK (status IN ('active', 'suspended', 'retired'))
);

CREATE TABLE public.permissions (
    id bigserial NOT NULL,
    agent_id uuid NOT NULL,
    scope varchar(200) NOT NULL,
    effect varchar(10) NOT NULL,
    expires_at timestamptz NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT now()
);
