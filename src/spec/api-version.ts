/** The version of Docker's API whose words and meanings bocker follows. */
export const API_VERSION = "1.51";
