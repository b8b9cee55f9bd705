/* SPDX-License-Identifier: MIT */
/* What soqperf's exit codes mean. */
#ifndef SOQPERF_EXIT_H
#define SOQPERF_EXIT_H

enum exit_code {
	EXIT_CODE_OK = 0,         /* the run is complete, every byte was right */
	EXIT_CODE_ERRORS = 1,     /* wrong bytes, short responses, lost or failed requests */
	EXIT_CODE_USAGE = 2,      /* a wrong command line */
	EXIT_CODE_CANNOT_RUN = 3, /* could not connect, listen, or have the engine */
	EXIT_CODE_SIGNAL = 128,   /* plus the signal: interrupted, partial result printed */
};

#endif
