CREATE TABLE public.api_requests (
    id bigserial NOT NULL,
    tenant_id uuid NOT NULL,
    method varchar(10) NOT NULL,
    path text NOT NULL,
    status smallint NOT NULL,
    duration_ms numeric(10, 3) NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.webhooks (
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    url text NOT NULL,
    secret_digest bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Keys expire within minutes; at night there are none.
CREATE TABLE public.idempotency_keys (
    key varchar(100) NOT NULL,
    tenant_id uuid NOT NULL,
    expires_at timestamptz NOT NULL
);
