/* What the two halves of the extension share. docs/extension.md tells how they work. */
#ifndef SMBMOUNT_FUSE_SESSION_H
#define SMBMOUNT_FUSE_SESSION_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <fuse_lowlevel.h>

#undef fuse_session_new /* a macro since libfuse 3.17 */

struct libfuse_version; /* known to libfuse from 3.17 on */

/* libfuse's own functions, found in the very library that pyfuse3 is linked with. */
struct library {
    int (*version)(void);
    struct fuse_session *(*session_new)(struct fuse_args *, const struct fuse_lowlevel_ops *,
                                        size_t, void *);
    struct fuse_session *(*session_new_versioned)(struct fuse_args *,
                                                  const struct fuse_lowlevel_ops *, size_t,
                                                  struct libfuse_version *, void *);
    void (*req_interrupt_func)(fuse_req_t, fuse_interrupt_func_t, void *);
    const struct fuse_ctx *(*req_ctx)(fuse_req_t);
    int (*reply_open)(fuse_req_t, const struct fuse_file_info *);
    int (*reply_create)(fuse_req_t, const struct fuse_entry_param *,
                        const struct fuse_file_info *);
    int (*reply_err)(fuse_req_t, int);
    int (*reply_write)(fuse_req_t, size_t);
    int (*reply_lock)(fuse_req_t, const struct flock *);
    int (*reply_lseek)(fuse_req_t, off_t);
    int (*reply_ioctl)(fuse_req_t, int, const void *, size_t);
};

extern struct library library;

/* Remember a request as the current one, and ask to hear of its interrupt. */
void note(fuse_req_t req, const char *operation, const struct fuse_file_info *fi);

/* Counts sessions; a request of a session that has ended must not be answered. 0: none. */
extern unsigned long session;

/* Put our operations into the empty slots that `wanted`, a set of names, has. -1: exception. */
int fill_slots(struct fuse_lowlevel_ops *table, PyObject *wanted);

/* Called as dispatch(name, handle, number, owner, caller, arguments) for each of them. */
extern PyObject *dispatch;

/* The Python functions that answer them. */
extern PyMethodDef reply_methods[];

#endif
