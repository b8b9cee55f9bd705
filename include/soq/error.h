/* SPDX-License-Identifier: MIT */
/* Errors: their names, their texts, and what kind they are. */
#ifndef SOQ_ERROR_H
#define SOQ_ERROR_H

#include <soq/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * These take what a call or an event has said: a negative errno, or one of
 * enum soq_name_error. 0 and more are counts and other results, no errors. All of
 * them are tables that never change: any number is answered, the strings live as long
 * as the library is loaded, and nobody has to give them back.
 */

/*
 * What the system's resolver says of a name: results of the calls of soq/name.h alone, which
 * no errno stands for and can be mistaken for. The numbers are those of .NET's SocketError.
 */
enum soq_name_error {
	SOQ_NAME_NOT_FOUND = -11001, /* no such host; it will not help to ask again */
	SOQ_NAME_TRY_AGAIN = -11002, /* no server answered, or none could: it may help */
	SOQ_NAME_FAILED = -11003,    /* the resolver has failed, and will go on to */
	SOQ_NAME_NO_DATA = -11004,   /* the host is there, but has no such address */
};

/* What kind of error it is, and so whose business. */
enum soq_error_class {
	SOQ_ERROR_NONE = 0,     /* none: 0 or more */
	SOQ_ERROR_MISUSE = 1,   /* the call: its arguments, its thread, what it was made on */
	SOQ_ERROR_SOCKET = 2,   /* the network, the system, the peer */
	SOQ_ERROR_CANCELED = 3, /* the program has asked for it */
};

/**
 * The name .NET has for an error, a member of its SocketError: "ConnectionReset"
 * for -ECONNRESET, and "SocketError" where it has none of its own. Several errors
 * may share one, as AccessDenied or TooManyOpenSockets; soq_error_errno_name()
 * tells them apart.
 *
 * Result: the name, never NULL; "Success" for 0 and more.
 * Thread: any.
 * .NET:   SocketError, SocketException.SocketErrorCode
 */
SOQ_API const char *soq_error_name(int error);

/**
 * The system's own name of an error: "ECONNRESET" for -ECONNRESET. Where a number
 * has two, it is EAGAIN, EOPNOTSUPP and EDEADLK. Of enum soq_name_error it is the name
 * of getaddrinfo(3): "EAI_NONAME" for SOQ_NAME_NOT_FOUND.
 *
 * Result: the name, never NULL; "unknown" for a number that is no errno, and "0" for
 *         0 and more.
 * Thread: any.
 * .NET:   SocketException.NativeErrorCode
 */
SOQ_API const char *soq_error_errno_name(int error);

/**
 * An error in words, English whatever the locale: small letters, without a full stop.
 *
 * Result: the text, never NULL.
 * Thread: any.
 * .NET:   SocketException, SocketException.Message
 */
SOQ_API const char *soq_error_text(int error);

/**
 * The class of an error. Misuse is a fault of the program, which it would have to
 * mend: -EINVAL, -ERANGE, -EFAULT, -EBADF, -EBUSY, -ECHILD, -EXDEV, -EOPNOTSUPP,
 * -ENOSYS, -ENAMETOOLONG and -ENOSPC. Cancelled is -ECANCELED alone. All else is for
 * the network and the system to say, and a program has to expect it.
 *
 * An event that ends with a class of misuse has met it in the kernel. -EINVAL there
 * may be the network's word as well, of an address, say, that cannot be reached from
 * another.
 *
 * Result: an enum soq_error_class.
 * Thread: any.
 * .NET:   ArgumentException, InvalidOperationException, NotSupportedException,
 *         ObjectDisposedException, SocketException, OperationCanceledException
 */
SOQ_API enum soq_error_class soq_error_class_of(int error);

#ifdef __cplusplus
}
#endif

#endif
