CREATE EXTENSION "uuid-ossp";

CREATE TABLE _sqlx_migrations (
    version bigint PRIMARY KEY,
    description text NOT NULL,
    installed_on timestamptz NOT NULL DEFAULT now(),
    success boolean NOT NULL
);

CREATE TABLE ontology_versions (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    version varchar(50) NOT NULL UNIQUE,
    description text,
    is_current boolean NOT NULL DEFAULT false
);

CREATE TABLE classes (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    name varchar(255) NOT NULL,
    description text,
    version_id uuid NOT NULL REFERENCES ontology_versions (id)
);

CREATE TABLE entities (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    class_id uuid NOT NULL REFERENCES classes (id),
    parent_entity_id uuid REFERENCES entities (id),
    display_name varchar(500) NOT NULL,
    attributes jsonb NOT NULL DEFAULT '{}',
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE relationship_types (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    name varchar(100) NOT NULL UNIQUE
);

CREATE TABLE relationships (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    source_entity_id uuid NOT NULL REFERENCES entities (id) ON DELETE CASCADE,
    target_entity_id uuid NOT NULL REFERENCES entities (id) ON DELETE CASCADE,
    relationship_type_id uuid NOT NULL REFERENCES relationship_types (id),
    UNIQUE (source_entity_id, target_entity_id, relationship_type_id)
);

INSERT INTO _sqlx_migrations (version, description, success)
SELECT 20260110180000 + step, 'step ' || step, true FROM generate_series(1, 12) AS step;

INSERT INTO ontology_versions (version, description, is_current) VALUES ('1.0.0', 'Initial ontology', true);

INSERT INTO classes (name, description, version_id)
SELECT name, name || ' of the sample ontology', (SELECT id FROM ontology_versions)
FROM unnest(ARRAY['Document', 'Person', 'Place', 'Project']) AS name;

INSERT INTO relationship_types (name) VALUES ('contains'), ('mentions');
