# Sourced after tests/steps.sh: a Java compiler, and the jars of which $classpath is made.
# shellcheck shell=bash disable=SC2154

need javac default-jdk-headless
# kxml2 first: it is the parser of a phone, and Smack's jar brings another one.
need_jar net.sf.kxml:kxml2:2.3.0 f264dd9f79a1fde10ce5ecc53221eff24be4c9331c830b7d52f2f08a7b633de2
classpath=$jar
need_jar org.igniterealtime.smack:smack:3.2.1 4aba96eac01e4b0811a52109676c66c5e4627e931c014426898757c7b8e361e2
classpath=$classpath:$jar
