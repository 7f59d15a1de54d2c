#ifndef STREAM_VALUE_H
#define STREAM_VALUE_H
#include "core/err.h"
#include "core/str.h"
#include <stdbool.h>
#include <stdint.h>

/* A JSON value. Every value belongs to its container; a fresh value belongs to the caller until it is put into one
 * (value_set and value_push take it over, also when they fail) or freed with value_free(). */
struct value;

/* Parses one JSON text of n bytes; depth, numbers and UTF-8 are checked. NULL on error. */
struct value *value_parse(const char *text, int64_t n, struct err *e);
/* A JSON file; saved indented. */
struct value *value_load(const char *path, struct err *e);
int value_save(const struct value *v, const char *path, struct err *e);
/* For large files: calls visit for each member of the object that the text is, one at a time and in order: the elements
 * of an array by themselves, numbered from 1, behind a call with number 0 and no value where it begins; any other value
 * with number 0. Values are valid until visit returns; an error of visit ends the walk. */
typedef int value_visit(void *arg, const char *key, int64_t number, const struct value *v, struct err *e);
int value_walk(const char *text, int64_t n, value_visit *visit, void *arg, struct err *e);
void value_free(struct value *v);
struct value *value_copy(const struct value *v);          /* deep */
void value_print(const struct value *v, struct str *out); /* compact, key order kept */
void value_print_indented(const struct value *v, struct str *out);
/* What value_print() writes of a string (valid UTF-8) and of arrays of numbers, without the value. */
void value_print_string(const char *s, size_t n, struct str *out);
void value_print_ints(const int32_t *v, int64_t n, struct str *out);
void value_print_bytes(const uint8_t *v, int64_t n, struct str *out);

struct value *value_object(void);
struct value *value_array(void);
struct value *value_str(const char *s); /* s is valid UTF-8 */
struct value *value_strn(const char *s, int64_t n);
struct value *value_int(int64_t i);
struct value *value_real(double d); /* non-finite becomes the string "nan", "inf", "-inf" */
struct value *value_bool(bool b);
void value_set(struct value *object, const char *key, struct value *v);
void value_drop(struct value *object, const char *key);
/* A number is copied into the array and is not to be used afterwards; a pointer to one, from value_at(), holds until
 * the next push. */
void value_push(struct value *array, struct value *v);
/* Arrays of numbers in one call. */
struct value *value_ints(const int32_t *v, int64_t n);
struct value *value_reals(const float *v, int64_t n);

/* Looking. value_get() is NULL when absent; value_at() needs 0 <= i < value_count(). */
struct value *value_get(const struct value *object, const char *key);
struct value *value_at(const struct value *array, int64_t i);
int64_t value_count(const struct value *array_or_object);                       /* 0 for anything else */
const char *value_key(const struct value *object, int64_t i, struct value **v); /* i-th member in order */
/* Every member in order, in linear time: for (struct value_iter it = { 0 }; value_next(object, &it);) uses it.key,
 * it.value. */
struct value_iter {
    const char *key;
    struct value *value;
    int64_t next;
};
bool value_next(const struct value *object, struct value_iter *it);
bool value_is_string(const struct value *v);
bool value_is_int(const struct value *v);
bool value_is_number(const struct value *v);
bool value_is_array(const struct value *v);
bool value_is_object(const struct value *v);
bool value_is_null(const struct value *v); /* the JSON null; absence is NULL */
bool value_is_true(const struct value *v);
/* Of a string, else NULL; borrowed. With n NULL it is for those who take it up to a NUL: NULL where it holds one. */
const char *value_text(const struct value *v, int64_t *n);
int64_t value_integer(const struct value *v); /* of an integer, else 0 */
double value_number(const struct value *v);   /* of a number, else 0 */

/* Typed members. 0, or -1 with a message that names the key and what was expected. The forms with a
 * default accept absence (and null) but not another type. */
int value_get_string(const struct value *o, const char *key, const char **out, struct err *e); /* one without a NUL */
int value_get_int(const struct value *o, const char *key, int64_t min, int64_t max, int64_t *out, struct err *e);
int value_get_real(const struct value *o, const char *key, double min, double max, double *out, struct err *e);
int value_get_bool(const struct value *o, const char *key, bool *out, struct err *e);
int value_get_array(const struct value *o, const char *key, struct value **out, struct err *e);
int value_get_object(const struct value *o, const char *key, struct value **out, struct err *e);
int value_opt_string(const struct value *o, const char *key, const char **out,
                     struct err *e); /* leaves *out alone when absent */
int value_opt_int(const struct value *o, const char *key, int64_t min, int64_t max, int64_t *out, struct err *e);
int value_opt_real(const struct value *o, const char *key, double min, double max, double *out, struct err *e);
int value_opt_bool(const struct value *o, const char *key, bool *out, struct err *e);
#endif
