ALTER TABLE public.nodes ADD PRIMARY KEY (id);
ALTER TABLE public.edges ADD PRIMARY KEY (id);
ALTER TABLE public.edges
    ADD CONSTRAINT edges_source_id_fkey FOREIGN KEY (source_id) REFERENCES public.nodes (id);
ALTER TABLE public.edges
    ADD CONSTRAINT edges_target_id_fkey FOREIGN KEY (target_id) REFERENCES public.nodes (id) DEFERRABLE;

CREATE INDEX edges_source_id_idx ON public.edges (source_id) INCLUDE (target_id);
CREATE INDEX edges_target_id_idx ON public.edges (target_id);

SELECT setval(pg_get_serial_sequence('public.edges', 'id'), (SELECT max(id) FROM public.edges));
