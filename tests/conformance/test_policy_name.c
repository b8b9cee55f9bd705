/* SPDX-License-Identifier: MIT */
/* Policies and names: rules with the name that is connected to, and each of its addresses. */
#define _GNU_SOURCE
#include "policy_kit.h"
#include "resolver.h"

static int connect_to(struct fixture *t, struct soq_policy *policy, const char *host,
		      const struct soq_endpoint *ep, int32_t errors[2])
{
	struct soq_connect_name name = { .size = sizeof(name),
					 .host = host,
					 .host_bytes = strlen(host),
					 .port = port_of(ep),
					 .stagger_ns = HOUR,
					 .errors = errors,
					 .endpoint_max = errors != NULL ? 2 : 0 };
	struct soq_socket *s = NULL;
	int error;

	/* A loop has its own. */
	if (t->home == NULL)
		name.policy = policy;
	error = soq_connect_name(t->home, &name, FOREVER, &s);
	if (error != 0)
		return error;
	/* And what comes of it is under it. */
	expect(soq_disconnect(s, SOQ_REUSE), 0);
	expect(soq_connect(s, ep), -EACCES);
	expect(soq_close(s), 0);
	return 0;
}

static void rules_with_a_name_are_about_connects_by_it(struct fixture *t)
{
	struct soq_policy *policy = policy_of("default deny\n"
					      "allow connect tcp some.host\n"
					      "allow connect tcp bad.host\n"
					      "deny connect any bad.host\n"
					      "allow connect tcp *.0.0.1 1\n");
	struct soq_endpoint ep;
	int fd = quiet_listener(AF_INET, &ep);

	resolver_open();
	resolver_finds(&ep, 1);
	police(t, soq_policy_retain(policy));
	expect(connect_to(t, policy, "some.host", &ep, NULL), 0);
	close(raw_accept(fd));
	expect(connect_to(t, policy, "Some.HOST.", &ep, NULL), 0);
	close(raw_accept(fd));
	expect(connect_to(t, policy, "bad.host", &ep, NULL), -EACCES);
	expect(connect_to(t, policy, "other.host", &ep, NULL), -EACCES);
	expect(connect_to(t, policy, "127.0.0.1", &ep, NULL), -EACCES);
	expect_nobody(fd);
	resolver_close();
	soq_policy_release(policy);
	close(fd);
}

static void each_address_of_a_name_is_judged(struct fixture *t)
{
	struct soq_policy *policy = policy_of("default deny\n"
					      "allow connect tcp some.host\n"
					      "deny connect tcp 127.0.0.2\n");
	struct soq_endpoint ep[2];
	int fd = quiet_listener(AF_INET, &ep[1]);
	int32_t errors[2] = { 1, 1 };

	ep[0] = endpoint_port("127.0.0.2", port_of(&ep[1]));
	resolver_open();
	resolver_finds(ep, 2);
	police(t, soq_policy_retain(policy));
	expect(connect_to(t, policy, "some.host", &ep[1], errors), 0);
	expect(errors[0], -EACCES);
	expect(errors[1], 0);
	close(raw_accept(fd));
	resolver_close();
	soq_policy_release(policy);
	close(fd);
}

static const struct conf_case cases[] = {
	SYNC_CASE(rules_with_a_name_are_about_connects_by_it, "22a"),
	SYNC_CASE(each_address_of_a_name_is_judged, "22a"),
};

CONF_GROUP(policy_name, cases)
