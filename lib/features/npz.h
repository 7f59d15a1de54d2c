#ifndef FEATURES_NPZ_H
#define FEATURES_NPZ_H
#include "features/npy.h"

/* A .npz file: a zip archive with one .npy for each array, as np.savez() and np.savez_compressed() write it. */
struct npz {
    int n;
    struct npz_member {
        char *name; /* without ".npy" */
        uint8_t *data;
        struct npy array;
    } * at;
};
/* Reads all arrays; what they may unpack to is limited. The bytes are not needed afterwards. */
int npz_open(struct npz *z, const void *data, size_t n, struct err *e);
void npz_close(struct npz *z);
const struct npy *npz_find(const struct npz *z, const char *name); /* NULL when absent */
/* The named array with a rank (-1: any); an error names what is missing. */
int npz_array(const struct npz *z, const char *name, int rank, const struct npy **out, struct err *e);

/* Appends an archive of n arrays, names as above, bytes as npy_print() makes them, deflated. Same input, same bytes. */
struct npz_entry {
    const char *name;
    struct str npy;
};
int npz_print(struct str *out, const struct npz_entry *at, int n, struct err *e);
#endif
