/* Comes between pyfuse3 and libfuse. Loaded RTLD_GLOBAL before pyfuse3 is, the public functions
 * here are found first; each calls libfuse's own. Mechanism only: every decision is a call of
 * the Python package around it. The GIL is held throughout, since libfuse runs nothing of ours
 * but inside pyfuse3's calls, and those keep it. */
#include "fuse_session.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#define PUBLIC __attribute__((visibility("default")))

struct library library;
PyObject *dispatch;
unsigned long session;

static unsigned long sessions;
static PyObject *on_table, *on_connection, *on_interrupt, *wanted;
static struct fuse_lowlevel_ops theirs; /* as pyfuse3 made it */
static struct fuse_lowlevel_ops ours;   /* as libfuse gets it */

/* The request whose coroutine starts next. */
static struct {
    uintptr_t number; /* counts from 1 */
    const char *operation;
    uint64_t lock_owner;
    int flags; /* O_..., of open, create and release; XATTR_..., of setxattr */
    int pid;   /* the calling thread, 0 if it is in a namespace not ours */
    int flush, flock_release;
    int interrupted; /* the interrupt came before the request */
    int noting;
} current;

/* -- libfuse's own functions ------------------------------------------------------------ */

static void *find(void *handle, const char *name)
{
    void *function = dlsym(handle, name);
    return function ? function : dlvsym(handle, name, "FUSE_3.0");
}

/* Look through the eyes of whoever called us: a wheel may bring a libfuse of its own. */
static void resolve(void *caller)
{
    Dl_info info;
    if (library.session_new)
        return;
    if (!dladdr(caller, &info))
        Py_FatalError("smbmount: the caller of libfuse is nowhere to be found");
    void *handle = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    if (!handle)
        Py_FatalError("smbmount: the caller of libfuse cannot be looked into");
#define FIND(field, name) *(void **)&library.field = find(handle, name)
    FIND(version, "fuse_version");
    FIND(session_new, "fuse_session_new");
    FIND(session_new_versioned, "fuse_session_new_versioned");
    FIND(req_interrupt_func, "fuse_req_interrupt_func");
    FIND(req_ctx, "fuse_req_ctx");
    FIND(reply_open, "fuse_reply_open");
    FIND(reply_create, "fuse_reply_create");
    FIND(reply_err, "fuse_reply_err");
    FIND(reply_write, "fuse_reply_write");
    FIND(reply_lock, "fuse_reply_lock");
    FIND(reply_lseek, "fuse_reply_lseek");
    FIND(reply_ioctl, "fuse_reply_ioctl");
#undef FIND
}

/* -- requests and their interrupts ------------------------------------------------------ */

/* libfuse calls this at most once, and never after the reply. */
static void interrupted(fuse_req_t req, void *number)
{
    if (current.noting) { /* overtook its request; told by start_of_request() */
        current.interrupted = 1;
        return;
    }
    PyObject *result = PyObject_CallFunction(on_interrupt, "Ki", (unsigned long long)(uintptr_t)number,
                                             (int)library.req_ctx(req)->pid);
    if (!result)
        PyErr_WriteUnraisable(on_interrupt);
    Py_XDECREF(result);
}

void note(fuse_req_t req, const char *operation, const struct fuse_file_info *fi)
{
    current.number++;
    current.operation = operation;
    current.lock_owner = fi ? fi->lock_owner : 0;
    current.flags = fi ? fi->flags : 0;
    current.pid = (int)library.req_ctx(req)->pid;
    current.flush = fi ? fi->flush : 0;
    current.flock_release = fi ? fi->flock_release : 0;
    current.interrupted = 0;
    current.noting = 1;
    library.req_interrupt_func(req, interrupted, (void *)current.number);
    current.noting = 0;
}

/* name, which of the arguments is a fuse_file_info or NULL, parameters, arguments */
#define OPERATIONS(X)                                                                             \
    X(lookup, NULL, (fuse_req_t req, fuse_ino_t ino, const char *name), (req, ino, name))         \
    X(getattr, NULL, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi), (req, ino, fi)) \
    X(setattr, NULL,                                                                              \
      (fuse_req_t req, fuse_ino_t ino, struct stat *to, int set, struct fuse_file_info *fi),      \
      (req, ino, to, set, fi))                                                                    \
    X(readlink, NULL, (fuse_req_t req, fuse_ino_t ino), (req, ino))                               \
    X(mknod, NULL, (fuse_req_t req, fuse_ino_t ino, const char *name, mode_t mode, dev_t dev),    \
      (req, ino, name, mode, dev))                                                                \
    X(mkdir, NULL, (fuse_req_t req, fuse_ino_t ino, const char *name, mode_t mode),               \
      (req, ino, name, mode))                                                                     \
    X(unlink, NULL, (fuse_req_t req, fuse_ino_t ino, const char *name), (req, ino, name))         \
    X(rmdir, NULL, (fuse_req_t req, fuse_ino_t ino, const char *name), (req, ino, name))          \
    X(symlink, NULL, (fuse_req_t req, const char *to, fuse_ino_t ino, const char *name),          \
      (req, to, ino, name))                                                                       \
    X(rename, NULL,                                                                               \
      (fuse_req_t req, fuse_ino_t ino, const char *name, fuse_ino_t to, const char *as,           \
       unsigned flags),                                                                           \
      (req, ino, name, to, as, flags))                                                            \
    X(link, NULL, (fuse_req_t req, fuse_ino_t ino, fuse_ino_t to, const char *as),                \
      (req, ino, to, as))                                                                         \
    X(read, fi,                                                                                   \
      (fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi),        \
      (req, ino, size, off, fi))                                                                  \
    X(write, fi,                                                                                  \
      (fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off,                  \
       struct fuse_file_info *fi),                                                                \
      (req, ino, data, size, off, fi))                                                            \
    X(write_buf, fi,                                                                              \
      (fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *data, off_t off,                       \
       struct fuse_file_info *fi),                                                                \
      (req, ino, data, off, fi))                                                                  \
    X(flush, fi, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi), (req, ino, fi))     \
    X(release, fi, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi), (req, ino, fi))   \
    X(fsync, fi, (fuse_req_t req, fuse_ino_t ino, int data, struct fuse_file_info *fi),           \
      (req, ino, data, fi))                                                                       \
    X(readdirplus, fi,                                                                            \
      (fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi),        \
      (req, ino, size, off, fi))                                                                  \
    X(releasedir, fi, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi),                \
      (req, ino, fi))                                                                             \
    X(fsyncdir, fi, (fuse_req_t req, fuse_ino_t ino, int data, struct fuse_file_info *fi),        \
      (req, ino, data, fi))                                                                       \
    X(statfs, NULL, (fuse_req_t req, fuse_ino_t ino), (req, ino))                                 \
    X(listxattr, NULL, (fuse_req_t req, fuse_ino_t ino, size_t size), (req, ino, size))           \
    X(removexattr, NULL, (fuse_req_t req, fuse_ino_t ino, const char *name), (req, ino, name))    \
    X(access, NULL, (fuse_req_t req, fuse_ino_t ino, int mask), (req, ino, mask))

/* pyfuse3 copies the fuse_file_info of these and replies with the copy: lock_owner, which means
 * nothing here, carries the request's number to fuse_reply_open() and fuse_reply_create(). */
#define OPENINGS(X)                                                                             \
    X(open, fi, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi), (req, ino, fi))    \
    X(opendir, fi, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi), (req, ino, fi)) \
    X(create, fi,                                                                               \
      (fuse_req_t req, fuse_ino_t ino, const char *name, mode_t mode,                           \
       struct fuse_file_info *fi),                                                              \
      (req, ino, name, mode, fi))

#define WRAP(name_, fi_, parameters, arguments) \
    static void noted_##name_ parameters        \
    {                                           \
        note(req, #name_, fi_);                 \
        theirs.name_ arguments;                 \
    }
#define WRAP_OPENING(name_, fi_, parameters, arguments) \
    static void noted_##name_ parameters                \
    {                                                   \
        note(req, #name_, fi_);                         \
        fi->lock_owner = current.number;                \
        theirs.name_ arguments;                         \
    }
#define PUT(name_, fi_, parameters, arguments) \
    if (theirs.name_)                          \
        ours.name_ = noted_##name_;

OPERATIONS(WRAP)
OPENINGS(WRAP_OPENING)

/* Its flags are not passed on by pyfuse3. */
static void noted_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
                           size_t size, int flags)
{
    note(req, "setxattr", NULL);
    current.flags = flags;
    theirs.setxattr(req, ino, name, value, size, flags);
}

/* The kernel asks for security.capability before every write, and ls -l for POSIX ACLs of every
 * file. SMB has neither; an answer from here, without Python, costs them little. */
static void noted_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    if (strncmp(name, "security.", 9) == 0 || strncmp(name, "system.posix_acl_", 17) == 0) {
        library.reply_err(req, EOPNOTSUPP);
        return;
    }
    note(req, "getxattr", NULL);
    theirs.getxattr(req, ino, name, size);
}

/* -- the connection, its beginning and its end ------------------------------------------ */

static void init(void *userdata, struct fuse_conn_info *conn)
{
    if (theirs.init)
        theirs.init(userdata, conn);
    PyObject *answer = PyObject_CallFunction(on_connection, "IIIII", conn->capable, conn->want,
                                             conn->max_background, conn->congestion_threshold,
                                             conn->max_readahead);
    unsigned want, max_background, congestion_threshold, max_readahead;
    if (answer && PyArg_ParseTuple(answer, "IIII", &want, &max_background, &congestion_threshold,
                                   &max_readahead)) {
        conn->want = want & conn->capable;
        conn->max_background = max_background;
        conn->congestion_threshold = congestion_threshold;
        conn->max_readahead = max_readahead;
    } else {
        PyErr_WriteUnraisable(on_connection);
    }
    Py_XDECREF(answer);
}

static void destroy(void *userdata)
{
    session = 0;
    if (theirs.destroy)
        theirs.destroy(userdata);
}

/* The table for libfuse: ours if Python agrees, else pyfuse3's as it is. */
static const struct fuse_lowlevel_ops *adopt(const struct fuse_lowlevel_ops *op, size_t *size)
{
    if (!on_table || op == &ours)
        return op;
    /* lseek is the last operation we need, the last of our own header the last we know. */
    size_t least = offsetof(struct fuse_lowlevel_ops, lseek) + sizeof op->lseek;
    PyObject *answer = PyObject_CallFunction(on_table, "iinnn", library.version(), FUSE_VERSION,
                                             (Py_ssize_t)*size, (Py_ssize_t)least,
                                             (Py_ssize_t)sizeof ours);
    int agreed = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    if (agreed == 1 && *size >= least && *size <= sizeof ours) {
        memset(&theirs, 0, sizeof theirs);
        memcpy(&theirs, op, *size);
        ours = theirs;
        OPERATIONS(PUT)
        OPENINGS(PUT)
        PUT(setxattr, , , )
        PUT(getxattr, , , )
        ours.init = init;
        ours.destroy = destroy;
        if (fill_slots(&ours, wanted) == 0) {
            session = ++sessions;
            return &ours;
        }
    }
    if (PyErr_Occurred())
        PyErr_WriteUnraisable(on_table);
    return op;
}

PUBLIC struct fuse_session *fuse_session_new(struct fuse_args *args,
                                             const struct fuse_lowlevel_ops *op, size_t size,
                                             void *userdata)
{
    resolve(__builtin_return_address(0));
    op = adopt(op, &size);
    return library.session_new(args, op, size, userdata);
}

/* What programs built for libfuse 3.17 and later call instead. */
PUBLIC struct fuse_session *fuse_session_new_versioned(struct fuse_args *args,
                                                       const struct fuse_lowlevel_ops *op,
                                                       size_t size,
                                                       struct libfuse_version *version,
                                                       void *userdata)
{
    resolve(__builtin_return_address(0));
    op = adopt(op, &size);
    return library.session_new_versioned(args, op, size, version, userdata);
}

/* -- what pyfuse3 cannot say when it opens ---------------------------------------------- */

enum { CACHE_LISTING = 1, KEEP_LISTING = 2, NO_FLUSH = 4, PARALLEL_DIRECT_WRITES = 8 };

/* Said right before the reply, so the few latest are enough; a lost hint costs no more than
 * the hint. */
static struct {
    uint64_t number;
    int hints;
} hinted[64];

static const struct fuse_file_info *with_hints(const struct fuse_file_info *fi,
                                               struct fuse_file_info *copy)
{
    uint64_t number = fi->lock_owner;
    int hints = number && hinted[number % 64].number == number ? hinted[number % 64].hints : 0;
    if (!hints)
        return fi;
    *copy = *fi;
    copy->cache_readdir = (hints & CACHE_LISTING) != 0;
    copy->keep_cache |= (hints & KEEP_LISTING) != 0;
    copy->noflush = (hints & NO_FLUSH) != 0;
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 15)
    copy->parallel_direct_writes = (hints & PARALLEL_DIRECT_WRITES) != 0;
#endif
    return copy;
}

PUBLIC int fuse_reply_open(fuse_req_t req, const struct fuse_file_info *fi)
{
    struct fuse_file_info copy;
    resolve(__builtin_return_address(0));
    return library.reply_open(req, with_hints(fi, &copy));
}

PUBLIC int fuse_reply_create(fuse_req_t req, const struct fuse_entry_param *entry,
                             const struct fuse_file_info *fi)
{
    struct fuse_file_info copy;
    resolve(__builtin_return_address(0));
    return library.reply_create(req, entry, with_hints(fi, &copy));
}

/* -- the Python module ------------------------------------------------------------------ */

static PyObject *arm(PyObject *self, PyObject *args)
{
    PyObject *table, *connection, *interrupt, *dispatcher, *names;
    if (!PyArg_ParseTuple(args, "OOOOO", &table, &connection, &interrupt, &dispatcher, &names))
        return NULL;
    Py_XSETREF(on_table, Py_NewRef(table));
    Py_XSETREF(on_connection, Py_NewRef(connection));
    Py_XSETREF(on_interrupt, Py_NewRef(interrupt));
    Py_XSETREF(dispatch, Py_NewRef(dispatcher));
    Py_XSETREF(wanted, Py_NewRef(names));
    Py_RETURN_NONE;
}

static PyObject *start_of_request(PyObject *self, PyObject *unused)
{
    long long number = (long long)current.number;
    return PyLong_FromLongLong(current.interrupted ? -number : number);
}

static PyObject *current_request(PyObject *self, PyObject *unused)
{
    return Py_BuildValue("KzKiiii", (unsigned long long)current.number, current.operation,
                         (unsigned long long)current.lock_owner, current.flags, current.pid,
                         current.flush, current.flock_release);
}

static PyObject *hint(PyObject *self, PyObject *args)
{
    unsigned long long number;
    int hints;
    if (!PyArg_ParseTuple(args, "Ki", &number, &hints))
        return NULL;
    hinted[number % 64].number = number;
    hinted[number % 64].hints = hints;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"arm", arm, METH_VARARGS, NULL},
    {"start_of_request", start_of_request, METH_NOARGS, NULL},
    {"current_request", current_request, METH_NOARGS, NULL},
    {"hint", hint, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_fuse_session",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__fuse_session(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddFunctions(module, reply_methods) < 0)
        Py_CLEAR(module);
    return module;
}
