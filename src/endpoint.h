/* SPDX-License-Identifier: MIT */
/* What the files on endpoints tell each other about one. */
#ifndef SOQI_ENDPOINT_H
#define SOQI_ENDPOINT_H

#include <soq/endpoint.h>

/* AF_INET or AF_INET6 if `ep` holds all of such an address, else -errno. */
int soqi_endpoint_family(const struct soq_endpoint *ep);

#endif
