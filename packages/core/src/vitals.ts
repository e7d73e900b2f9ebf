/**
 * [write: what it is for, in two or three sentences]
 *
 * @since 0.17.0
 */
export {}
