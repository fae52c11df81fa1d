package org.xmlpull.mxp1;

import org.kxml2.io.KXmlParser;

/**
 * Smack makes its parser by this name. On Android the class behind the name is a kxml2 parser, which takes
 * the end of a connection for the end of a document; the one in Smack's jar reports an error instead and so
 * hides what a phone does. This class stands before that jar on the class path.
 */
public class MXParser extends KXmlParser {
}
