/* The operations that pyfuse3 leaves out: each becomes one call of Python's dispatch(), which
 * starts a task and answers later through the handle. A handle answers once; one that is
 * dropped unanswered answers EIO, so that no caller waits for ever. */
#include "fuse_session.h"

#include <errno.h>
#include <fcntl.h>

static const char PENDING[] = "smbmount.request";
static const char ANSWERED[] = "smbmount.answered";

/* -- the handle ------------------------------------------------------------------------- */

static void abandon(PyObject *handle)
{
    if (!PyCapsule_IsValid(handle, PENDING))
        return;
    if (session && PyCapsule_GetContext(handle) == (void *)session)
        library.reply_err(PyCapsule_GetPointer(handle, PENDING), EIO);
}

/* The request to answer. NULL without an exception: its session is over, nobody waits. */
static fuse_req_t take(PyObject *handle)
{
    fuse_req_t req = PyCapsule_GetPointer(handle, PENDING);
    if (!req || PyCapsule_SetName(handle, ANSWERED) < 0)
        return NULL;
    return session && PyCapsule_GetContext(handle) == (void *)session ? req : NULL;
}

/* Takes over the reference to `arguments`. */
static void start(fuse_req_t req, const char *name, const struct fuse_file_info *fi,
                  PyObject *arguments)
{
    PyObject *handle = PyCapsule_New(req, PENDING, abandon);
    PyObject *result = NULL;
    if (handle && arguments && PyCapsule_SetContext(handle, (void *)session) == 0) {
        const struct fuse_ctx *caller = library.req_ctx(req);
        note(req, name, fi);
        result = PyObject_CallFunction(dispatch, "sOK(IIiI)O", name, handle,
                                       fi ? (unsigned long long)fi->lock_owner : 0ULL,
                                       caller->uid, caller->gid, (int)caller->pid, caller->umask,
                                       arguments);
    } else if (!handle) {
        library.reply_err(req, ENOMEM);
    }
    if (!result)
        PyErr_WriteUnraisable(dispatch);
    Py_XDECREF(result);
    Py_XDECREF(handle);
    Py_XDECREF(arguments);
}

/* -- the operations --------------------------------------------------------------------- */

#define U64(value) ((unsigned long long)(value))
#define S64(value) ((long long)(value))

static void getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock)
{
    start(req, "getlk", fi,
          Py_BuildValue("KKiLLi", U64(ino), U64(fi->fh), lock->l_type, S64(lock->l_start),
                        S64(lock->l_len), (int)lock->l_pid));
}

static void setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock,
                  int sleep)
{
    start(req, "setlk", fi,
          Py_BuildValue("KKiLLii", U64(ino), U64(fi->fh), lock->l_type, S64(lock->l_start),
                        S64(lock->l_len), (int)lock->l_pid, sleep));
}

static void flock_(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op)
{
    start(req, "flock", fi, Py_BuildValue("KKi", U64(ino), U64(fi->fh), op));
}

static void fallocate_(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                       struct fuse_file_info *fi)
{
    start(req, "fallocate", fi,
          Py_BuildValue("KKiLL", U64(ino), U64(fi->fh), mode, S64(offset), S64(length)));
}

static void lseek_(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
                   struct fuse_file_info *fi)
{
    start(req, "lseek", fi,
          Py_BuildValue("KKLi", U64(ino), U64(fi->fh), S64(offset), whence));
}

static void copy_file_range_(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
                             struct fuse_file_info *in, fuse_ino_t ino_out, off_t off_out,
                             struct fuse_file_info *out, size_t length, int flags)
{
    start(req, "copy_file_range", in,
          Py_BuildValue("KKLKKLKi", U64(ino_in), U64(in->fh), S64(off_in), U64(ino_out),
                        U64(out->fh), S64(off_out), U64(length), flags));
}

static void ioctl_(fuse_req_t req, fuse_ino_t ino, unsigned int command, void *argument,
                   struct fuse_file_info *fi, unsigned flags, const void *data, size_t size,
                   size_t room)
{
    start(req, "ioctl", fi,
          Py_BuildValue("KKIKIy#K", U64(ino), U64(fi->fh), command, U64((uintptr_t)argument),
                        flags, data ? data : "", (Py_ssize_t)(data ? size : 0), U64(room)));
}

/* A slot that pyfuse3 has filled is pyfuse3's. */
int fill_slots(struct fuse_lowlevel_ops *table, PyObject *wanted)
{
#define FILL(slot, function)                                \
    do {                                                    \
        PyObject *name = PyUnicode_FromString(#slot);       \
        int in = name ? PySet_Contains(wanted, name) : -1;  \
        Py_XDECREF(name);                                   \
        if (in < 0)                                         \
            return -1;                                      \
        if (in && !table->slot)                             \
            table->slot = function;                         \
    } while (0)
    FILL(getlk, getlk);
    FILL(setlk, setlk);
    FILL(flock, flock_);
    FILL(fallocate, fallocate_);
    FILL(lseek, lseek_);
    FILL(copy_file_range, copy_file_range_);
    FILL(ioctl, ioctl_);
#undef FILL
    return 0;
}

/* -- the answers: 0, or the error number with which the kernel refused it --------------- */

#define ANSWER(handle, expression)               \
    do {                                         \
        fuse_req_t req = take(handle);           \
        if (!req && PyErr_Occurred())            \
            return NULL;                         \
        int sent = req ? (expression) : 0;       \
        return PyLong_FromLong(-sent);           \
    } while (0)

static PyObject *reply_error(PyObject *self, PyObject *args)
{
    PyObject *handle;
    int error;
    if (!PyArg_ParseTuple(args, "Oi", &handle, &error))
        return NULL;
    ANSWER(handle, library.reply_err(req, error));
}

static PyObject *reply_count(PyObject *self, PyObject *args)
{
    PyObject *handle;
    Py_ssize_t count;
    if (!PyArg_ParseTuple(args, "On", &handle, &count))
        return NULL;
    ANSWER(handle, library.reply_write(req, (size_t)count));
}

static PyObject *reply_offset(PyObject *self, PyObject *args)
{
    PyObject *handle;
    long long offset;
    if (!PyArg_ParseTuple(args, "OL", &handle, &offset))
        return NULL;
    ANSWER(handle, library.reply_lseek(req, (off_t)offset));
}

static PyObject *reply_lock(PyObject *self, PyObject *args)
{
    PyObject *handle;
    int type, pid;
    long long start, length;
    if (!PyArg_ParseTuple(args, "OiLLi", &handle, &type, &start, &length, &pid))
        return NULL;
    struct flock lock = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = (off_t)start,
                         .l_len = (off_t)length, .l_pid = (pid_t)pid};
    ANSWER(handle, library.reply_lock(req, &lock));
}

static PyObject *reply_ioctl(PyObject *self, PyObject *args)
{
    PyObject *handle;
    int result;
    const char *data;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "Oiy#", &handle, &result, &data, &size))
        return NULL;
    ANSWER(handle, library.reply_ioctl(req, result, data, (size_t)size));
}

PyMethodDef reply_methods[] = {
    {"reply_error", reply_error, METH_VARARGS, NULL},
    {"reply_count", reply_count, METH_VARARGS, NULL},
    {"reply_offset", reply_offset, METH_VARARGS, NULL},
    {"reply_lock", reply_lock, METH_VARARGS, NULL},
    {"reply_ioctl", reply_ioctl, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
