/** What MySQL and MariaDB mean. */
export {};
