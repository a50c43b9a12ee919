CREATE TABLE public.usage_budgets (
    tenant_id uuid NOT NULL,
    monthly_limit numeric(12, 2) NOT NULL,
    currency char(3) NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.usage_records (
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    agent_id uuid,
    tool varchar(255),
    units integer NOT NULL,
    cost double precision NOT NULL,
    "timestamp" timestamptz NOT NULL DEFAULT now(),
    audit_id uuid
);
