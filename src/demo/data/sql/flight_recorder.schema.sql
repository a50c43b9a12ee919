CREATE TYPE public.recording_state AS ENUM ('running', 'sealed', 'aborted');

CREATE TABLE public.recordings (
    id uuid NOT NULL,
    agent_id uuid NOT NULL,
    state public.recording_state NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz
);

CREATE TABLE public.frames (
    recording_id uuid NOT NULL,
    frame integer NOT NULL,
    payload bytea NOT NULL,
    recorded_at timestamptz NOT NULL
) PARTITION BY HASH (recording_id);
CREATE TABLE public.frames_0 PARTITION OF public.frames FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE public.frames_1 PARTITION OF public.frames FOR VALUES WITH (MODULUS 2, REMAINDER 1);
