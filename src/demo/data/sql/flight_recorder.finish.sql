ALTER TABLE public.recordings ADD PRIMARY KEY (id);
ALTER TABLE public.frames ADD PRIMARY KEY (recording_id, frame);
ALTER TABLE public.frames
    ADD CONSTRAINT frames_recording_id_fkey FOREIGN KEY (recording_id) REFERENCES public.recordings (id);
ALTER TABLE public.recordings
    ADD CONSTRAINT recordings_ended_check CHECK (state = 'running' OR ended_at IS NOT NULL);

CREATE INDEX recordings_agent_started_idx ON public.recordings (agent_id, started_at);
COMMENT ON TABLE public.frames IS 'what an agent saw and did, frame by frame';
