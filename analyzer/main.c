// SPDX-License-Identifier: GPL-2.0-or-later
#include "analyzer/verb.h"

int
main(void)
{
	return verb_registry[0] ? 0 : STATUS_USAGE;
}
