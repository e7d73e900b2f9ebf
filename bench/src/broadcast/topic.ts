/** What all of them subscribe to: the type of the messages whose size is known. */
export const TOPIC = 'message'
