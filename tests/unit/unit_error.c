/* SPDX-License-Identifier: MIT */
/* Errors in words: every errno there is, and every number that is none. */
#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <soq/error.h>
#include <string.h>

/* The kernel's last (MAX_ERRNO). */
#define NUMBER_MAX 4095

/* SocketError, as .NET on Unix has it; all others are "SocketError". */
static const struct named {
	int number;
	const char *name;
} named[] = {
	{ EACCES, "AccessDenied" },
	{ EPERM, "AccessDenied" },
	{ EADDRINUSE, "AddressAlreadyInUse" },
	{ EADDRNOTAVAIL, "AddressNotAvailable" },
	{ ENOENT, "AddressNotAvailable" },
	{ EAFNOSUPPORT, "AddressFamilyNotSupported" },
	{ EAGAIN, "WouldBlock" },
	{ EWOULDBLOCK, "WouldBlock" },
	{ EALREADY, "AlreadyInProgress" },
	{ EBADF, "OperationAborted" },
	{ ECANCELED, "OperationAborted" },
	{ ECONNABORTED, "ConnectionAborted" },
	{ ECONNREFUSED, "ConnectionRefused" },
	{ ECONNRESET, "ConnectionReset" },
	{ EDESTADDRREQ, "DestinationAddressRequired" },
	{ EFAULT, "Fault" },
	{ EHOSTDOWN, "HostDown" },
	{ EHOSTUNREACH, "HostUnreachable" },
	{ ENXIO, "HostNotFound" },
	{ EINPROGRESS, "InProgress" },
	{ EINVAL, "InvalidArgument" },
	{ EISCONN, "IsConnected" },
	{ EMFILE, "TooManyOpenSockets" },
	{ ENFILE, "TooManyOpenSockets" },
	{ EMSGSIZE, "MessageSize" },
	{ ENETDOWN, "NetworkDown" },
	{ ENETRESET, "NetworkReset" },
	{ ENETUNREACH, "NetworkUnreachable" },
	{ ENOBUFS, "NoBufferSpaceAvailable" },
	{ ENODATA, "NoData" },
	{ ENOPROTOOPT, "ProtocolOption" },
	{ ENOTCONN, "NotConnected" },
	{ ENOTSOCK, "NotSocket" },
	{ ENOTSUP, "OperationNotSupported" },
	{ EOPNOTSUPP, "OperationNotSupported" },
	{ EPIPE, "Shutdown" },
	{ EPFNOSUPPORT, "ProtocolFamilyNotSupported" },
	{ EPROTONOSUPPORT, "ProtocolNotSupported" },
	{ EPROTOTYPE, "ProtocolType" },
	{ ESOCKTNOSUPPORT, "SocketNotSupported" },
	{ ESHUTDOWN, "Disconnecting" },
	{ ETIMEDOUT, "TimedOut" },
	{ EINTR, "Interrupted" },
};

static const char *name_wanted(int number)
{
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (named[i].number == number)
			return named[i].name;
	return "SocketError";
}

static void names_are_those_of_dotnet(void **state)
{
	(void)state;
	for (int number = 1; number <= NUMBER_MAX; number++)
		assert_string_equal(soq_error_name(-number), name_wanted(number));
}

/* The C library has the same list, of its own making. */
static void errno_names_are_the_systems(void **state)
{
	unsigned count = 0;

	(void)state;
	for (int number = 1; number <= NUMBER_MAX; number++) {
		const char *name = strerrorname_np(number);

		count += name != NULL;
		/* One of its two. */
		if (number == EOPNOTSUPP)
			name = "EOPNOTSUPP";
		assert_string_equal(soq_error_errno_name(-number), name != NULL ? name : "unknown");
	}
	assert_true(count > 130);
}

static void texts_are_words_and_no_two_are_the_same(void **state)
{
	(void)state;
	for (int number = 1; number <= NUMBER_MAX; number++) {
		const char *text = soq_error_text(-number);
		size_t length = strlen(text);

		if (strerrorname_np(number) == NULL) {
			assert_string_equal(text, "unknown error");
			continue;
		}
		assert_in_range(length, 5, 60);
		assert_true(text[length - 1] != '.');
		for (size_t i = 0; i < length; i++)
			assert_in_range(text[i], ' ', '~');
		for (int other = number + 1; other <= NUMBER_MAX; other++)
			assert_string_not_equal(text, soq_error_text(-other));
	}
}

static void classes_keep_three_things_apart(void **state)
{
	static const int misuse[] = { EINVAL, ERANGE,     EFAULT, EBADF,        EBUSY, ECHILD,
				      EXDEV,  EOPNOTSUPP, ENOSYS, ENAMETOOLONG, ENOSPC };

	(void)state;
	for (int number = 1; number <= NUMBER_MAX; number++) {
		enum soq_error_class wanted = SOQ_ERROR_SOCKET;

		for (size_t i = 0; i < sizeof(misuse) / sizeof(misuse[0]); i++)
			if (misuse[i] == number)
				wanted = SOQ_ERROR_MISUSE;
		if (number == ECANCELED)
			wanted = SOQ_ERROR_CANCELED;
		assert_int_equal(soq_error_class_of(-number), wanted);
	}
}

static void what_is_no_error_is_none(void **state)
{
	static const int counts[] = { 0, 1, ECONNRESET, INT_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		assert_string_equal(soq_error_name(counts[i]), "Success");
		assert_string_equal(soq_error_errno_name(counts[i]), "0");
		assert_string_equal(soq_error_text(counts[i]), "no error");
		assert_int_equal(soq_error_class_of(counts[i]), SOQ_ERROR_NONE);
	}
}

/* What no errno stands for. */
static void resolvers_errors_have_names_of_their_own(void **state)
{
	static const struct {
		int error;
		const char *name, *errno_name, *text;
	} rows[] = {
		{ -11000, "SocketError", "unknown", "unknown error" },
		{ SOQ_NAME_NOT_FOUND, "HostNotFound", "EAI_NONAME", "no such host" },
		{ SOQ_NAME_TRY_AGAIN, "TryAgain", "EAI_AGAIN",
		  "no name server could answer: try again" },
		{ SOQ_NAME_FAILED, "NoRecovery", "EAI_FAIL", "the resolver has failed" },
		{ SOQ_NAME_NO_DATA, "NoData", "EAI_NODATA", "the host has no such address" },
		{ -11005, "SocketError", "unknown", "unknown error" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(soq_error_name(rows[i].error), rows[i].name);
		assert_string_equal(soq_error_errno_name(rows[i].error), rows[i].errno_name);
		assert_string_equal(soq_error_text(rows[i].error), rows[i].text);
		assert_int_equal(soq_error_class_of(rows[i].error), SOQ_ERROR_SOCKET);
	}
}

static void any_number_is_answered(void **state)
{
	static const int numbers[] = { -NUMBER_MAX - 1, -65536, INT_MIN + 1, INT_MIN };

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		assert_string_equal(soq_error_name(numbers[i]), "SocketError");
		assert_string_equal(soq_error_errno_name(numbers[i]), "unknown");
		assert_string_equal(soq_error_text(numbers[i]), "unknown error");
		assert_int_equal(soq_error_class_of(numbers[i]), SOQ_ERROR_SOCKET);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_those_of_dotnet),
		cmocka_unit_test(errno_names_are_the_systems),
		cmocka_unit_test(texts_are_words_and_no_two_are_the_same),
		cmocka_unit_test(classes_keep_three_things_apart),
		cmocka_unit_test(what_is_no_error_is_none),
		cmocka_unit_test(resolvers_errors_have_names_of_their_own),
		cmocka_unit_test(any_number_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
