/*
 * A provider of security labels that takes any label: for tests. PostgreSQL's own either needs SELinux (sepgsql) or is not installed
 * anywhere (dummy_seclabel).
 */
#include "postgres.h"

#include "commands/seclabel.h"
#include "fmgr.h"

PG_MODULE_MAGIC;

void _PG_init(void);

static void
take(const ObjectAddress *object, const char *label)
{
}

void
_PG_init(void)
{
	register_label_provider("drill", take);
}
