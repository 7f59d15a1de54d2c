#ifndef SCENES_LANGUAGE_H
#define SCENES_LANGUAGE_H
#include "core/str.h"
#include "scenes/scene.h"

/* Sentences about a scene. All draws come from r; each call appends to out. */

/* One caption in one of several forms (form in [0, CAPTION_FORMS)), naming all objects. */
enum { CAPTION_FORMS = 8 };
void language_caption(struct str *out, const struct scene *s, int form, struct rng *r);

/* A statement that is true of s as far as a picture can show. When told, *about is the object it is about. */
void language_statement(struct str *out, const struct scene *s, struct rng *r, int *about);
/* A statement of the same forms that is false of s: about the objects of another scene, or with one part changed. */
void language_false_statement(struct str *out, const struct scene *s, const struct scene *other, struct rng *r);
/* "The red car belongs to a teacher.": about an object of s (nobody can tell), or, when is_absent, about one that s
 * does not show. */
void language_detail(struct str *out, const struct scene *s, const struct scene *other, bool is_absent, struct rng *r);

/* A true statement and a false one of the same words: two objects' colours exchanged, or (relation) the two objects of
 * a relation. False when the scene has no two such objects. */
bool language_swap(struct str *text, struct str *swapped, const struct scene *s, bool relation, struct rng *r);

/* A question and its answer. */
void language_question(struct str *question, struct str *answer, const struct scene *s, struct rng *r);
#endif
