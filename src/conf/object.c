/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of every struct that a block fills: which of its words were written, and where. The
 * notes are a list in the order of the file, as an object has few words.
 */
#include "conf/loader.h"

struct conf_object *conf_object_of(void *self)
{
    return self;
}

void *conf_member(void *self, const struct conf_word *word)
{
    return (char *)self + word->offset;
}

struct conf_place *conf_place_find(const struct conf_object *object, const struct conf_word *word)
{
    struct conf_place *place = object->places ? object->places->first : NULL;
    while (place && place->word != word)
        place = place->next;
    return place;
}

static struct conf_places *places_of(struct arena *arena, struct conf_object *object)
{
    if (!object->places)
        object->places = ARENA_NEW(arena, struct conf_places);
    return object->places;
}

struct conf_place *conf_place_add(struct arena *arena, struct conf_object *object,
                                  const struct conf_word *word, const struct conf_stmt *stmt,
                                  size_t first)
{
    struct conf_places *places = places_of(arena, object);
    struct conf_place *place = ARENA_NEW(arena, struct conf_place);
    *place = (struct conf_place){
        .word = word, .stmt = stmt, .first = first, .end = first + 1, .at = stmt->tokens[first].at};
    if (places->last)
        places->last->next = place;
    else
        places->first = place;
    places->last = place;
    return place;
}

void conf_object_spoil(struct arena *arena, struct conf_object *object)
{
    places_of(arena, object)->is_bad = true;
}

void conf_object_note_unknown(struct arena *arena, struct conf_object *object)
{
    places_of(arena, object)->has_unknown = true;
}

static const struct conf_place *named(const struct conf_object *object, const char *name)
{
    const struct conf_place *place = object->places ? object->places->first : NULL;
    while (place && !slice_equal_nocase(slice_from(place->word->name), slice_from(name)))
        place = place->next;
    return place;
}

struct conf_at conf_where(const struct conf_object *object, const char *name)
{
    const struct conf_place *place = named(object, name);
    return place ? place->at : object->at;
}

bool conf_is_set(const struct conf_object *object, const char *name)
{
    return named(object, name) != NULL;
}
