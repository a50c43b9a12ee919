WITH kinds AS (SELECT array_agg(id ORDER BY name) AS ids FROM classes)
INSERT INTO entities (class_id, display_name, attributes)
SELECT ids[1 + number % 4], 'Entity ' || number, jsonb_build_object('number', number, 'note', E'tab\there, quote '' and \\ there')
FROM kinds, generate_series(1, {rows}) AS number;

WITH numbered AS (SELECT id, row_number() OVER (ORDER BY (attributes ->> 'number')::bigint) AS number FROM entities)
INSERT INTO relationships (source_entity_id, target_entity_id, relationship_type_id)
SELECT one.id, other.id, (SELECT id FROM relationship_types WHERE name = 'contains')
FROM numbered AS one JOIN numbered AS other ON other.number = one.number * 2;

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END;
$$;

CREATE TRIGGER entities_touch BEFORE UPDATE ON entities FOR EACH ROW EXECUTE FUNCTION touch();
