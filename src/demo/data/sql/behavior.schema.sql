CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE TABLE public.baselines (
    agent_id uuid NOT NULL,
    metric varchar(100) NOT NULL,
    mean double precision NOT NULL,
    deviation double precision NOT NULL,
    computed_at timestamptz NOT NULL
);

CREATE TABLE public.anomalies (
    id bigserial NOT NULL,
    agent_id uuid NOT NULL,
    score double precision NOT NULL,
    description text NOT NULL,
    window_range int8range NOT NULL,
    detected_at timestamptz NOT NULL
);
