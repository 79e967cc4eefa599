// SPDX-License-Identifier: GPL-2.0-or-later
/* Built without MPI: cmd-curve-mpi.c's place. */
#include "analyzer/cmd-curve-job.h"
#include "analyzer/fail.h"

int
curve_mpi_open(struct segments_remote **out, bool *served)
{
	(void)out;
	(void)served;
	return fail(EUSAGE, "--mpi: this pagescope is built without MPI; "
			    "apt-get install libopenmpi-dev openmpi-bin, then "
			    "configure --with-mpi");
}

void
curve_mpi_close(struct segments_remote *remote)
{
	(void)remote;
}
