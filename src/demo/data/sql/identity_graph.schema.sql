CREATE EXTENSION IF NOT EXISTS pgcrypto;

CREATE TABLE public.nodes (
    id uuid NOT NULL,
    kind varchar(50) NOT NULL,
    attributes jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    attributes_digest text GENERATED ALWAYS AS (encode(public.digest(attributes::text, 'sha256'), 'hex')) STORED
);

CREATE TABLE public.edges (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    source_id uuid NOT NULL,
    target_id uuid NOT NULL,
    relation varchar(50) NOT NULL,
    weight integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT edges_no_loop CHECK (source_id <> target_id)
);
