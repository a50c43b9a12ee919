ALTER TABLE public.audit_logs ADD PRIMARY KEY (id);
ALTER TABLE public.audit_notes ADD PRIMARY KEY (id);
ALTER TABLE public.transparency_roots ADD PRIMARY KEY (tenant_id, root_date);
ALTER TABLE public.transparency_historical_keys ADD PRIMARY KEY (id);
ALTER TABLE public.transparency_historical_keys
    ADD CONSTRAINT transparency_historical_keys_fingerprint_key UNIQUE (fingerprint);
ALTER TABLE public.pending_usage_events ADD PRIMARY KEY (id);
ALTER TABLE public.audit_notes
    ADD CONSTRAINT audit_notes_audit_log_id_fkey FOREIGN KEY (audit_log_id) REFERENCES public.audit_logs (id);

CREATE INDEX audit_logs_tenant_timestamp_idx ON public.audit_logs (tenant_id, "timestamp" DESC);
CREATE INDEX audit_logs_chain_idx ON public.audit_logs (tenant_id, chain_shard, chain_sequence);
CREATE INDEX audit_logs_chain_time_idx ON public.audit_logs (tenant_id, chain_shard, "timestamp", id);
CREATE INDEX audit_logs_org_timestamp_idx ON public.audit_logs (org_id, "timestamp");
CREATE INDEX audit_logs_agent_timestamp_idx ON public.audit_logs (agent_id, "timestamp");
CREATE INDEX audit_logs_action_idx ON public.audit_logs (action);
CREATE INDEX audit_logs_decision_idx ON public.audit_logs (decision) WHERE decision <> 'allow';
CREATE INDEX audit_logs_tool_idx ON public.audit_logs (tool) WHERE tool IS NOT NULL;
CREATE UNIQUE INDEX audit_logs_request_id_key ON public.audit_logs (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX audit_logs_event_hash_idx ON public.audit_logs (event_hash);
CREATE INDEX audit_logs_billing_status_idx ON public.audit_logs (billing_status);
CREATE INDEX audit_logs_created_at_idx ON public.audit_logs (created_at);
CREATE INDEX audit_logs_metadata_json_idx ON public.audit_logs USING gin (metadata_json);
CREATE INDEX audit_notes_audit_log_id_idx ON public.audit_notes (audit_log_id);
CREATE INDEX pending_usage_events_pending_idx ON public.pending_usage_events (created_at) WHERE status = 'pending';

CREATE FUNCTION public.audit_logs_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_logs is append-only: % refused', TG_OP;
END;
$$;
CREATE TRIGGER audit_logs_no_update BEFORE UPDATE ON public.audit_logs
    FOR EACH ROW EXECUTE FUNCTION public.audit_logs_refuse_change();
CREATE TRIGGER audit_logs_no_delete BEFORE DELETE ON public.audit_logs
    FOR EACH ROW EXECUTE FUNCTION public.audit_logs_refuse_change();

-- The rows brought their own numbers; the next one continues after them.
SELECT setval(pg_get_serial_sequence('public.audit_logs', 'chain_sequence'), coalesce(max(chain_sequence), 0) + 1, false)
    FROM public.audit_logs;
SELECT setval(pg_get_serial_sequence('public.audit_notes', 'id'), coalesce(max(id), 0) + 1, false)
    FROM public.audit_notes;
SELECT setval(pg_get_serial_sequence('public.pending_usage_events', 'id'), coalesce(max(id), 0) + 1, false)
    FROM public.pending_usage_events;

-- Append-only for the application, too.
GRANT SELECT, INSERT ON public.audit_logs, public.audit_notes TO aegis_app;
GRANT SELECT ON public.transparency_roots, public.transparency_historical_keys TO aegis_readers;
GRANT SELECT, INSERT, UPDATE ON public.pending_usage_events TO aegis_app;
