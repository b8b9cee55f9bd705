/* SPDX-License-Identifier: MIT */
/* Everything soq has. */
#ifndef SOQ_SOQ_H
#define SOQ_SOQ_H

#include <soq/accept.h>
#include <soq/base.h>
#include <soq/connect.h>
#include <soq/endpoint.h>
#include <soq/error.h>
#include <soq/file.h>
#include <soq/group.h>
#include <soq/harden.h>
#include <soq/helper.h>
#include <soq/listener.h>
#include <soq/loop.h>
#include <soq/message.h>
#include <soq/multicast.h>
#include <soq/name.h>
#include <soq/netstream.h>
#include <soq/op.h>
#include <soq/option.h>
#include <soq/policy.h>
#include <soq/poll.h>
#include <soq/pool.h>
#include <soq/relay.h>
#include <soq/report.h>
#include <soq/service.h>
#include <soq/socket.h>
#include <soq/stream.h>
#include <soq/telemetry.h>
#include <soq/udp.h>

#endif
