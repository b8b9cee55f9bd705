/* SPDX-License-Identifier: MIT */
/* Errors in words: one row for each errno Linux has, and for each of the resolver's. */
#include <soq/error.h>

#include <errno.h>

struct row {
	const char *errno_name;
	const char *name;
	const char *text;
};

/* What .NET has no word for. */
#define OTHER "SocketError"

/* Indexed by number, which is not the same on every architecture. */
#define ROW(number, name, text) [number] = { #number, name, text }

static const struct row rows[] = {
	ROW(EPERM, "AccessDenied", "operation not permitted"),
	ROW(ENOENT, "AddressNotAvailable", "no such file, name or operation"),
	ROW(ESRCH, OTHER, "no such process"),
	ROW(EINTR, "Interrupted", "interrupted by a signal"),
	ROW(EIO, OTHER, "input or output error"),
	ROW(ENXIO, "HostNotFound", "no such device or address"),
	ROW(E2BIG, OTHER, "argument list too long"),
	ROW(ENOEXEC, OTHER, "not an executable"),
	ROW(EBADF, "OperationAborted", "the socket is closed, or no such descriptor"),
	ROW(ECHILD, OTHER, "not in a child of the process that made the loop"),
	ROW(EAGAIN, "WouldBlock", "it would have to wait"),
	ROW(ENOMEM, OTHER, "out of memory"),
	ROW(EACCES, "AccessDenied", "permission denied"),
	ROW(EFAULT, "Fault", "bad memory address"),
	ROW(ENOTBLK, OTHER, "not a block device"),
	ROW(EBUSY, OTHER, "in use: an operation or a call is under way"),
	ROW(EEXIST, OTHER, "it exists already"),
	ROW(EXDEV, OTHER, "belongs to another thread or loop"),
	ROW(ENODEV, OTHER, "no such device or interface"),
	ROW(ENOTDIR, OTHER, "not a directory"),
	ROW(EISDIR, OTHER, "is a directory"),
	ROW(EINVAL, "InvalidArgument", "invalid argument, or not in this state"),
	ROW(ENFILE, "TooManyOpenSockets", "the system has no more descriptors"),
	ROW(EMFILE, "TooManyOpenSockets", "the process has no more descriptors"),
	ROW(ENOTTY, OTHER, "not for this kind of descriptor"),
	ROW(ETXTBSY, OTHER, "the executable is in use"),
	ROW(EFBIG, OTHER, "file too large"),
	ROW(ENOSPC, OTHER, "no room"),
	ROW(ESPIPE, OTHER, "it has no position to move"),
	ROW(EROFS, OTHER, "the file system is read-only"),
	ROW(EMLINK, OTHER, "too many links"),
	ROW(EPIPE, "Shutdown", "sending has ended: shut down, or the peer is gone"),
	ROW(EDOM, OTHER, "argument outside the domain of the function"),
	ROW(ERANGE, OTHER, "value out of range"),
	ROW(EDEADLK, OTHER, "it would wait for itself"),
	ROW(ENAMETOOLONG, OTHER, "name too long"),
	ROW(ENOLCK, OTHER, "no locks left"),
	ROW(ENOSYS, OTHER, "the system has no such call"),
	ROW(ENOTEMPTY, OTHER, "directory not empty"),
	ROW(ELOOP, OTHER, "too many symbolic links"),
	ROW(ENOMSG, OTHER, "no message of that type"),
	ROW(EIDRM, OTHER, "identifier removed"),
	ROW(ECHRNG, OTHER, "channel number out of range"),
	ROW(EL2NSYNC, OTHER, "level 2 not synchronised"),
	ROW(EL3HLT, OTHER, "level 3 halted"),
	ROW(EL3RST, OTHER, "level 3 reset"),
	ROW(ELNRNG, OTHER, "link number out of range"),
	ROW(EUNATCH, OTHER, "protocol driver not attached"),
	ROW(ENOCSI, OTHER, "no CSI structure available"),
	ROW(EL2HLT, OTHER, "level 2 halted"),
	ROW(EBADE, OTHER, "invalid exchange"),
	ROW(EBADR, OTHER, "invalid request descriptor"),
	ROW(EXFULL, OTHER, "exchange full"),
	ROW(ENOANO, OTHER, "no anode"),
	ROW(EBADRQC, OTHER, "invalid request code"),
	ROW(EBADSLT, OTHER, "invalid slot"),
	ROW(EBFONT, OTHER, "bad font file format"),
	ROW(ENOSTR, OTHER, "not a stream device"),
	ROW(ENODATA, "NoData", "no data available"),
	ROW(ETIME, OTHER, "the time has passed; what was waited for goes on"),
	ROW(ENOSR, OTHER, "no stream resources left"),
	ROW(ENONET, OTHER, "the machine is on no network"),
	ROW(ENOPKG, OTHER, "package not installed"),
	ROW(EREMOTE, OTHER, "object is remote"),
	ROW(ENOLINK, OTHER, "link has been severed"),
	ROW(EADV, OTHER, "advertise error"),
	ROW(ESRMNT, OTHER, "mount error"),
	ROW(ECOMM, OTHER, "communication error on send"),
	ROW(EPROTO, OTHER, "protocol error"),
	ROW(EMULTIHOP, OTHER, "multihop attempted"),
	ROW(EDOTDOT, OTHER, "remote file system error"),
	ROW(EBADMSG, OTHER, "bad message"),
	ROW(EOVERFLOW, OTHER, "value too large for its type"),
	ROW(ENOTUNIQ, OTHER, "name not unique on the network"),
	ROW(EBADFD, OTHER, "descriptor in a bad state"),
	ROW(EREMCHG, OTHER, "remote address changed"),
	ROW(ELIBACC, OTHER, "cannot reach a shared library"),
	ROW(ELIBBAD, OTHER, "a shared library is corrupt"),
	ROW(ELIBSCN, OTHER, "a section of a library is corrupt"),
	ROW(ELIBMAX, OTHER, "too many shared libraries"),
	ROW(ELIBEXEC, OTHER, "a shared library is no program"),
	ROW(EILSEQ, OTHER, "invalid byte sequence"),
	ROW(ERESTART, OTHER, "interrupted, to be started again"),
	ROW(ESTRPIPE, OTHER, "streams pipe error"),
	ROW(EUSERS, OTHER, "too many users"),
	ROW(ENOTSOCK, "NotSocket", "not a socket"),
	ROW(EDESTADDRREQ, "DestinationAddressRequired", "an address to send to is needed"),
	ROW(EMSGSIZE, "MessageSize", "message too long"),
	ROW(EPROTOTYPE, "ProtocolType", "protocol of another type than the socket"),
	ROW(ENOPROTOOPT, "ProtocolOption", "no such option"),
	ROW(EPROTONOSUPPORT, "ProtocolNotSupported", "protocol not supported"),
	ROW(ESOCKTNOSUPPORT, "SocketNotSupported", "socket type not supported"),
	ROW(EOPNOTSUPP, "OperationNotSupported", "not supported on this socket or system"),
	ROW(EPFNOSUPPORT, "ProtocolFamilyNotSupported", "protocol family not supported"),
	ROW(EAFNOSUPPORT, "AddressFamilyNotSupported", "address family not supported here"),
	ROW(EADDRINUSE, "AddressAlreadyInUse", "address already in use"),
	ROW(EADDRNOTAVAIL, "AddressNotAvailable", "address is none of this machine"),
	ROW(ENETDOWN, "NetworkDown", "the network is down"),
	ROW(ENETUNREACH, "NetworkUnreachable", "the network cannot be reached"),
	ROW(ENETRESET, "NetworkReset", "the network has dropped the connection"),
	ROW(ECONNABORTED, "ConnectionAborted", "connection aborted"),
	ROW(ECONNRESET, "ConnectionReset", "the peer has reset the connection"),
	ROW(ENOBUFS, "NoBufferSpaceAvailable", "no buffer space available"),
	ROW(EISCONN, "IsConnected", "already connected"),
	ROW(ENOTCONN, "NotConnected", "not connected"),
	ROW(ESHUTDOWN, "Disconnecting", "the other end has shut down"),
	ROW(ETOOMANYREFS, OTHER, "too many descriptors on their way"),
	ROW(ETIMEDOUT, "TimedOut", "timed out"),
	ROW(ECONNREFUSED, "ConnectionRefused", "connection refused"),
	ROW(EHOSTDOWN, "HostDown", "the host is down"),
	ROW(EHOSTUNREACH, "HostUnreachable", "the host cannot be reached"),
	ROW(EALREADY, "AlreadyInProgress", "already under way, or cut short before"),
	ROW(EINPROGRESS, "InProgress", "under way"),
	ROW(ESTALE, OTHER, "stale file handle"),
	ROW(EUCLEAN, OTHER, "structure needs cleaning"),
	ROW(ENOTNAM, OTHER, "not a named file"),
	ROW(ENAVAIL, OTHER, "no semaphores available"),
	ROW(EISNAM, OTHER, "is a named file"),
	ROW(EREMOTEIO, OTHER, "remote input or output error"),
	ROW(EDQUOT, OTHER, "quota exceeded"),
	ROW(ENOMEDIUM, OTHER, "no medium found"),
	ROW(EMEDIUMTYPE, OTHER, "wrong medium type"),
	ROW(ECANCELED, "OperationAborted", "cancelled"),
	ROW(ENOKEY, OTHER, "key not available"),
	ROW(EKEYEXPIRED, OTHER, "key has expired"),
	ROW(EKEYREVOKED, OTHER, "key has been revoked"),
	ROW(EKEYREJECTED, OTHER, "key was rejected"),
	ROW(EOWNERDEAD, OTHER, "the owner has died"),
	ROW(ENOTRECOVERABLE, OTHER, "state not recoverable"),
	ROW(ERFKILL, OTHER, "switched off by a radio switch"),
	ROW(EHWPOISON, OTHER, "memory page has a hardware error"),
};

/* From SOQ_NAME_NOT_FOUND down. */
static const struct row name_rows[] = {
	{ "EAI_NONAME", "HostNotFound", "no such host" },
	{ "EAI_AGAIN", "TryAgain", "no name server could answer: try again" },
	{ "EAI_FAIL", "NoRecovery", "the resolver has failed" },
	{ "EAI_NODATA", "NoData", "the host has no such address" },
};

static const struct row none = { "0", "Success", "no error" };
static const struct row unknown = { "unknown", OTHER, "unknown error" };

static const struct row *find(int error)
{
	const int last = (int)(sizeof(rows) / sizeof(rows[0])) - 1;

	if (error >= 0)
		return &none;
	if (error <= SOQ_NAME_NOT_FOUND && error >= SOQ_NAME_NO_DATA)
		return &name_rows[SOQ_NAME_NOT_FOUND - error];
	/* Before it is negated: the least int has no opposite. */
	if (error < -last || rows[-error].name == NULL)
		return &unknown;
	return &rows[-error];
}

const char *soq_error_name(int error)
{
	return find(error)->name;
}

const char *soq_error_errno_name(int error)
{
	return find(error)->errno_name;
}

const char *soq_error_text(int error)
{
	return find(error)->text;
}

enum soq_error_class soq_error_class_of(int error)
{
	if (error >= 0)
		return SOQ_ERROR_NONE;
	switch (error) {
	case -EINVAL:
	case -ERANGE:
	case -EFAULT:
	case -EBADF:
	case -EBUSY:
	case -ECHILD:
	case -EXDEV:
	case -EOPNOTSUPP:
	case -ENOSYS:
	case -ENAMETOOLONG:
	case -ENOSPC:
		return SOQ_ERROR_MISUSE;
	case -ECANCELED:
		return SOQ_ERROR_CANCELED;
	default:
		return SOQ_ERROR_SOCKET;
	}
}
