/* SPDX-License-Identifier: MIT */
/* The addresses that are not the public Internet: IANA's special-purpose registries. */
#include <soq/policy.h>

#include <errno.h>

/*
 * IPv6 is what lies outside 2000::/3, but for mapped addresses and NAT64, and what is special
 * inside. Of 0000::/8 the corners around these two are missing, which nobody routes.
 */
static const char text[] = "default allow\n"
			   "deny connect,send_to unix,vsock,packet,other *\n"
			   "deny connect,send_to any 0.0.0.0/8\n"
			   "deny connect,send_to any 10.0.0.0/8\n"
			   "deny connect,send_to any 100.64.0.0/10\n"
			   "deny connect,send_to any 127.0.0.0/8\n"
			   "deny connect,send_to any 169.254.0.0/16\n"
			   "deny connect,send_to any 172.16.0.0/12\n"
			   "deny connect,send_to any 192.0.0.0/24\n"
			   "deny connect,send_to any 192.0.2.0/24\n"
			   "deny connect,send_to any 192.88.99.0/24\n"
			   "deny connect,send_to any 192.168.0.0/16\n"
			   "deny connect,send_to any 198.18.0.0/15\n"
			   "deny connect,send_to any 198.51.100.0/24\n"
			   "deny connect,send_to any 203.0.113.0/24\n"
			   "deny connect,send_to any 224.0.0.0/3\n"
			   "deny connect,send_to any ::/96\n"
			   "deny connect,send_to any ::ffff:0:0:0/96\n"
			   "deny connect,send_to any 1::/16\n"
			   "deny connect,send_to any 2::/15\n"
			   "deny connect,send_to any 4::/14\n"
			   "deny connect,send_to any 8::/13\n"
			   "deny connect,send_to any 10::/12\n"
			   "deny connect,send_to any 20::/11\n"
			   "deny connect,send_to any 40::/11\n"
			   "deny connect,send_to any 60::/14\n"
			   "deny connect,send_to any 64:ff9b:1::/48\n"
			   "deny connect,send_to any 65::/16\n"
			   "deny connect,send_to any 66::/15\n"
			   "deny connect,send_to any 68::/13\n"
			   "deny connect,send_to any 70::/12\n"
			   "deny connect,send_to any 80::/9\n"
			   "deny connect,send_to any 100::/8\n"
			   "deny connect,send_to any 200::/7\n"
			   "deny connect,send_to any 400::/6\n"
			   "deny connect,send_to any 800::/5\n"
			   "deny connect,send_to any 1000::/4\n"
			   "deny connect,send_to any 2001::/23\n"
			   "deny connect,send_to any 2001:db8::/32\n"
			   "deny connect,send_to any 3fff::/20\n"
			   "deny connect,send_to any 4000::/2\n"
			   "deny connect,send_to any 8000::/1\n";

int soq_policy_public_only(struct soq_policy **policy_out)
{
	if (policy_out == NULL)
		return -EINVAL;
	return soq_policy_parse(text, sizeof(text) - 1, NULL, policy_out);
}
