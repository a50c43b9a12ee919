ALTER TABLE public.baselines ADD PRIMARY KEY (agent_id, metric);
ALTER TABLE public.anomalies ADD PRIMARY KEY (id);

CREATE INDEX anomalies_description_idx ON public.anomalies USING gin (description gin_trgm_ops);
CREATE INDEX anomalies_window_range_idx ON public.anomalies USING gist (window_range);

CREATE VIEW public.recent_anomalies AS
    SELECT a.id, a.agent_id, a.score, b.mean FROM public.anomalies a
    LEFT JOIN public.baselines b ON b.agent_id = a.agent_id AND b.metric = 'deny_ratio'
    WHERE a.score > 0.9;

SELECT setval('public.anomalies_id_seq', (SELECT max(id) FROM public.anomalies));
