/* SPDX-License-Identifier: MIT */
/* Policies from text: what is refused has its place, what is taken says the same in other words. */
#include <assert.h>
#include <errno.h>
#include <soq/policy.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const addresses[] = {
	"192.0.2.13:443", "127.0.0.1:0",         "0.0.0.0:80", "[::ffff:192.0.2.13]:443",
	"[::]:0",         "[2002:c000:20d::]:1", "unix:",      "unix:/run/app/x",
	"unix:@soq",
};

static int parse(const char *text, size_t size_bytes, struct soq_policy_error *error,
		 struct soq_policy **policy_out)
{
	*error = (struct soq_policy_error){ .size = sizeof(*error) };
	return soq_policy_parse(text, size_bytes, error, policy_out);
}

static void fault_check(const char *text, size_t size_bytes, int result,
			const struct soq_policy_error *error)
{
	uint32_t lines = 1;

	for (size_t i = 0; i < size_bytes; i++)
		lines += text[i] == '\n';
	assert(result == -EINVAL && error->text != NULL && error->line <= lines);
	assert(error->column <= size_bytes + 1);
	assert(error->line > 0 ? error->column > 0 : strcmp(error->text, "no default") == 0);
}

/* The text once more, with a last rule that denies everything. */
static struct soq_policy *denied_of(const char *text, size_t size_bytes)
{
	static const char more[] = "\ndeny any any *";
	char *longer = malloc(size_bytes + sizeof(more));
	struct soq_policy *policy = NULL;
	int result;

	assert(longer != NULL);
	memcpy(longer, text, size_bytes);
	memcpy(longer + size_bytes, more, sizeof(more));
	result = soq_policy_parse(longer, size_bytes + sizeof(more) - 1, NULL, &policy);
	assert(result == 0);
	free(longer);
	return policy;
}

static void judge(const char *text, size_t size_bytes, struct soq_policy *policy)
{
	struct soq_policy *denied = denied_of(text, size_bytes), *both = NULL;
	int error = soq_policy_narrow(denied, policy, &both);

	assert(error == 0);
	for (size_t i = 0; i < 4 * 7 * sizeof(addresses) / sizeof(addresses[0]); i++) {
		uint32_t what = 1u << i % 4, transport = 1u << i / 4 % 7, rule = 0, again = 0;
		struct soq_endpoint ep;
		int result;

		error = soq_endpoint_parse(addresses[i / 28], &ep);
		assert(error == 0);
		result = soq_policy_judge(policy, what, transport, NULL, &ep, &rule);
		assert(result == 0 || result == -EACCES);
		/* A rule that denied does so still; the new one is behind all others. */
		error = soq_policy_judge(denied, what, transport, NULL, &ep, &again);
		assert(error == -EACCES && again > 0 && (rule == 0 || again == rule));
		error = soq_policy_judge(both, what, transport, NULL, &ep, &rule);
		assert(error == -EACCES && rule == again);
	}
	soq_policy_release(denied);
	soq_policy_release(both);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Half of the inputs need not find this line first. */
	static const char otherwise[] = "default deny\n";
	size_t before = size > 0 && data[0] % 2 ? sizeof(otherwise) - 1 : 0;
	char *text = malloc(size + before + 1);
	struct soq_policy_error error;
	struct soq_policy *policy = NULL;
	int result;

	assert(text != NULL);
	memcpy(text, otherwise, before);
	memcpy(text + before, data, size);
	size += before;
	result = parse(text, size, &error, &policy);
	if (result == 0)
		judge(text, size, policy);
	else
		fault_check(text, size, result, &error);
	soq_policy_release(policy);
	free(text);
	return 0;
}
